# frozen_string_literal: true

module AwsLambda
  # How events and answers are read and written. AWS: a function that knows what it does may replace these.
  class Marshaller
    class << self
      # +raw_request+ answers +body+ and <tt>['Content-Type']</tt>.
      def marshall_request(raw_request)
        JSON.parse(raw_request.body, max_nesting: 1000)
      end

      # The answer, or the answer and its content type.
      def marshall_response(method_response)
        case method_response
        when StringIO, IO then [method_response, 'application/unknown']
        else method_response.to_json
        end
      end
    end
  end
end

# A function's handler: +file.method+ or +file.Module::Class.method+.
class LambdaHandler
  attr_reader :file_name

  Request = Struct.new(:body) do
    def [](name)
      name.is_a?(String) && name.casecmp?('content-type') ? 'application/json' : super
    end
  end

  def initialize(name)
    parts = name.split('.')
    unless [2, 3].include?(parts.size)
      # AWS's text.
      raise ArgumentError, "Invalid handler #{parts}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where " \
                           'FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional ' \
                           'module/class namespace and METHOD is a callable method. If using CLASS, METHOD must be a ' \
                           'class-level method.'
    end
    @file_name, *@class_name, @method_name = parts
  end

  # Bytes and their type.
  def call(event, context)
    options = { event: AwsLambda::Marshaller.marshall_request(Request.new(event)), context: context }
    response =
      if @class_name.empty?
        __send__(@method_name, **options) # what a file defines outside of any class is everybody's
      else
        Kernel.const_get(@class_name.first).send(@method_name, **options)
      end
    body, type = AwsLambda::Marshaller.marshall_response(response)
    body = body.read || '' if body.respond_to?(:read)
    [body, type || 'application/json']
  rescue StandardError
    raise
  rescue Exception # rubocop:disable Lint/RescueException -- exit, for one
    raise LambdaErrors::Critical
  end
end
