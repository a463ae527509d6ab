# frozen_string_literal: true

# The Ruby runtime: loads the handler, then takes one event after the other from the Runtime API.
#
# What it reports, logs and ends with follows AWS's own client, the gem aws_lambda_ric, which is used in place of this one where
# a host has it. Net::HTTP is what a start would wait for longest, so the Runtime API is spoken to over a plain socket; a
# function finds it all the same, as it does on AWS.

require 'json'
require 'logger'
require 'socket'
require 'stringio'
require_relative 'runtime_api'
require_relative 'lambda_context'
require_relative 'lambda_errors'
require_relative 'lambda_handler'
require_relative 'lambda_log'

autoload :Net, 'net/http'
autoload :URI, 'uri'

$stdout.sync = true

# From the first event to the end of the process.
class LambdaRunner
  # AWS's exit codes.
  CRITICAL = -1
  INIT_FAILED = -4

  def initialize(api)
    @api = api
  end

  def run(handler_name)
    exit(serve(load(handler_name)))
  end

  private

  def load(name)
    $LOAD_PATH.unshift(Dir.pwd) unless $LOAD_PATH.include?(Dir.pwd)
    LambdaHandler.new(name).tap { |handler| require handler.file_name }
  rescue Exception => e # rubocop:disable Lint/RescueException -- whatever a function's own code does
    error = LambdaErrors::LambdaError.new(e, 'Init')
    LambdaLog.error(error, "Init error when loading handler #{name}")
    @api.init_error(error)
    exit(INIT_FAILED)
  end

  # The process's exit code, once there can be no further event.
  def serve(handler)
    loop do
      event = @api.next_event
      LambdaLog.request_id = event.request_id
      ENV['_X_AMZN_TRACE_ID'] = event['trace-id'] # nil takes it away
      code = answer(handler, event)
      return code if code
    end
  end

  # nil where the runtime goes on.
  def answer(handler, event)
    body, type = handler.call(event.body, LambdaContext.new(event))
    @api.respond(event.request_id, body, type)
    nil
  rescue NameError, LambdaErrors::Critical => e # a NoMethodError is a NameError
    fail_invocation(event, e.is_a?(LambdaErrors::Critical) ? e.cause : e, 'Critical exception from handler')
    CRITICAL
  rescue StandardError => e
    fail_invocation(event, e, 'Error raised from handler method')
    nil
  end

  def fail_invocation(event, exception, message)
    error = LambdaErrors::LambdaError.new(exception, 'Function')
    LambdaLog.error(error, message)
    @api.invocation_error(event.request_id, error)
  end
end
