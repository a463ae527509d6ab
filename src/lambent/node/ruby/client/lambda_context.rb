# frozen_string_literal: true

# The context of one invocation, with AWS's attributes.
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
              :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms

  def initialize(event)
    @deadline_ms = event['deadline-ms'].to_i
    @aws_request_id = event.request_id
    @invoked_function_arn = event['invoked-function-arn']
    @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
    @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
    @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
    @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'] # a text, as on AWS
    @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
    @identity = parsed(event['cognito-identity'])
    @client_context = parsed(event['client-context'])
  end

  def get_remaining_time_in_millis # rubocop:disable Naming/AccessorMethodName -- AWS's name
    [deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
  end

  private

  def parsed(text)
    text && JSON.parse(text)
  end
end
