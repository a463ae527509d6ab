# frozen_string_literal: true

# A Ruby that has loaded the runtime, and waits on standard input to hear whose it is (ADR 27).

require_relative 'bootstrap'

api = RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
LambdaLog.patch
said = $stdin.read.strip
exit(0) if said.empty?
ENV.replace(JSON.parse(said).fetch('environ'))
$stdin.reopen(File::NULL)
Dir.chdir(ENV.fetch('LAMBDA_TASK_ROOT'))
Gem.clear_paths # it may have looked into directories that were empty
LambdaLog.open
LambdaRunner.new(api).run(ENV.fetch('_HANDLER'))
