# frozen_string_literal: true

# The function's log: frames on the pipe that the platform reads; lines on standard output where there is none.
#
# A frame is its type (4 bytes: 0xA55A0000, level, 1 for text or 2 for JSON), length (4), time in microseconds (8), message.
module LambdaLog
  FRAME = 0xA55A0000
  LEVELS = { 'TRACE' => 1, 'DEBUG' => 2, 'INFO' => 3, 'WARN' => 4, 'ERROR' => 5, 'FATAL' => 6 }.freeze
  JSON_TIME = '%Y-%m-%dT%H:%M:%S.%6NZ'

  class << self
    attr_accessor :request_id

    def open
      number = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      return unless number

      @pipe = IO.for_fd(Integer(number, 10), 'wb').tap { |pipe| pipe.sync = true }
      @pipe.close_on_exec = true
      patch
    end

    # Takes the place of what prints; until the pipe is open it goes to standard output.
    def patch
      return if @is_patched

      Logger.prepend(LoggerPatch)
      Kernel.module_eval { define_method(:puts) { |*values| LambdaLog.puts(values) } }
      @is_patched = true
    end

    # Ruby has no TRACE.
    def level
      wanted = ENV.fetch('AWS_LAMBDA_LOG_LEVEL', 'INFO')
      wanted == 'TRACE' ? 'DEBUG' : wanted
    end

    def json?
      ENV['AWS_LAMBDA_LOG_FORMAT'] == 'JSON'
    end

    # One event. +level+: its name, where it is known.
    def write(message, level = nil)
      return $stdout.write(message) unless @pipe

      bytes = utf8(message).b
      micros = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
      type = FRAME | LEVELS.fetch(level, 0) << 2 | (level && json? ? 2 : 1)
      @pipe.write([type, bytes.bytesize, micros].pack('L>L>Q>') + bytes)
    end

    # What puts prints in one call is one event.
    def puts(values)
      write("#{values.flatten.map { |value| utf8(value) }.join("\n")}\n")
      nil
    end

    def error(error, message)
      write("#{message}\n")
      write("#{JSON.pretty_generate(error.to_lambda_response)}\n")
    end

    def utf8(value)
      text = value.to_s
      text = text.dup.force_encoding(Encoding::UTF_8) if text.encoding == Encoding::BINARY
      text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace, replace: '�').scrub('�')
    end
  end

  # A logger's device. The message's level was noted just before, in the same thread.
  class Device < Logger::LogDevice
    def initialize; end # rubocop:disable Lint/MissingSuper -- there is no file

    def write(message)
      level = Thread.current[:lambda_log_level]
      Thread.current[:lambda_log_level] = nil
      LambdaLog.write(message, level)
    end

    def reopen(*)
      self
    end

    def close; end
  end

  # AWS's form of a line, with the request id in it.
  class TextFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      format("%<short>s, [%<time>s #%<pid>d] %<level>5s %<id>s -- %<name>s: %<message>s\n",
             short: severity[0], time: time.strftime('%Y-%m-%dT%H:%M:%S.%6N'), pid: Process.pid, level: severity,
             id: LambdaLog.request_id, name: progname, message: LambdaLog.utf8(msg2str(message)))
    end
  end

  # AWS's document.
  class JsonFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      document = { timestamp: time.utc.strftime(JSON_TIME), level: severity, message: text_of(message),
                   requestId: LambdaLog.request_id }
      document[:logger] = progname.to_s if progname && !progname.to_s.empty?
      document.merge!(error_of(message)) if message.is_a?(Exception)
      "#{JSON.generate(document.compact)}\n"
    end

    private

    def text_of(message)
      LambdaLog.utf8(message.is_a?(Exception) ? message.message : msg2str(message))
    end

    def error_of(error)
      trace = Array(error.backtrace).map { |line| LambdaLog.utf8(line) }
      place = /\A(?<file>.+):(?<line>\d+):in [`'](?<label>.+)'\z/.match(trace.first || '')
      { errorType: error.class.to_s, errorMessage: LambdaLog.utf8(error.message), stackTrace: trace,
        location: place ? "#{place[:file]}:#{place[:label]}:#{place[:line]}" : trace.first }
    end
  end

  # Loggers of standard output write events. What a function sets is as it says.
  module LoggerPatch
    def initialize(logdev = nil, *rest, **options)
      return super unless logdev.nil? || [$stdout, $stderr].include?(logdev)

      super(nil, *rest, **options)
      @logdev = Device.new
      @default_formatter = LambdaLog.json? ? JsonFormatter.new : TextFormatter.new
      self.level = LambdaLog.level if LambdaLog.json? && !options.key?(:level)
    end

    private

    def format_message(severity, ...)
      Thread.current[:lambda_log_level] = severity if @logdev.is_a?(Device)
      super
    end
  end
end
