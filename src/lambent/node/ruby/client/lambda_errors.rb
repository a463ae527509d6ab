# frozen_string_literal: true

module LambdaErrors
  # What a handler raised that ends the process: the reason is its cause.
  class Critical < RuntimeError; end

  # An exception as AWS's client reports it.
  class LambdaError
    MAX_FRAMES = 100
    MAX_CAUSE_FRAMES = 15
    NAMED = %w[ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError].freeze
    OWN_DIRECTORY = "#{__dir__}/"

    # +classification+: Function, or Init.
    def initialize(exception, classification)
      @exception = exception
      @type = "#{classification}<#{exception.class}>"
      @locations = own_locations(exception.backtrace_locations || [])
    end

    def to_lambda_response
      { errorMessage: message, errorType: @type, stackTrace: @locations.map(&:to_s) }
    end

    def document
      JSON.generate(to_lambda_response)
    end

    # AWS tells the platform no more than the common classes.
    def runtime_error_type
      NAMED.include?(@exception.class.to_s) ? @type : 'Function<UserException>'
    end

    # For X-Ray: a header's value.
    def cause_document
      stack = @locations.first(MAX_CAUSE_FRAMES).map { |at| { path: at.path, line: at.lineno, label: at.label } }
      exceptions = [{ message: message, type: @type, stack: stack }]
      cause = { working_directory: Dir.pwd, paths: Gem.path, exceptions: exceptions }
      JSON.generate(cause, ascii_only: true)
    end

    private

    def message
      @exception.message.dup.force_encoding(Encoding::UTF_8).scrub
    end

    # The function's frames: those of the runtime, and below it, are left out.
    def own_locations(locations)
      locations.take_while { |at| !at.path.start_with?(OWN_DIRECTORY) }.first(MAX_FRAMES)
    end
  end
end
