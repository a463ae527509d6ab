# frozen_string_literal: true

require_relative 'bootstrap'

LambdaLog.open
LambdaRunner.new(RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))).run(ENV.fetch('_HANDLER'))
