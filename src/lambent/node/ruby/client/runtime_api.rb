# frozen_string_literal: true

# The Runtime API's client: HTTP over one connection.
#
# A result is sent together with the request for the next event. An error has been answered when it returns, because the
# process may end right after.
class RuntimeApi
  ROOT = '/2018-06-01/runtime/'
  MAX_CAUSE_BYTES = 16 * 1024
  PREFIX = 'lambda-runtime-'

  # One event: its document, its bytes where it is none, and the headers without their common prefix.
  class Event
    attr_reader :status, :bytes

    def initialize(status, headers, bytes)
      @status = status
      @headers = headers
      @bytes = bytes
    end

    def [](name)
      @headers[PREFIX + name]
    end

    def request_id
      self['aws-request-id']
    end

    def body
      bytes.force_encoding(Encoding::UTF_8)
    end
  end

  def initialize(address)
    @address = address
    host, _, port = address.rpartition(':')
    @socket = TCPSocket.new(host, Integer(port, 10))
    @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    @unanswered = 0
    @has_asked = false
  end

  def next_event
    @socket.write(next_request) unless @has_asked
    @has_asked = false
    settle
    event = read
    raise "Received #{event.status} when waiting for next invocation." unless event.status == 200

    event
  end

  def respond(request_id, body, type)
    head = "POST #{ROOT}invocation/#{request_id}/response HTTP/1.1\r\nhost: #{@address}\r\n" \
           "content-type: #{type}\r\ncontent-length: #{body.bytesize}\r\n\r\n"
    @has_asked = true
    @unanswered += 1
    @socket.write(head, body, next_request)
  end

  def init_error(error)
    post('init/error', error, nil)
  end

  def invocation_error(request_id, error)
    post("invocation/#{request_id}/error", error, error.cause_document)
  end

  private

  def next_request
    "GET #{ROOT}invocation/next HTTP/1.1\r\nhost: #{@address}\r\n\r\n"
  end

  def post(path, error, cause)
    body = error.document
    head = "POST #{ROOT}#{path} HTTP/1.1\r\nhost: #{@address}\r\ncontent-type: application/json\r\n" \
           "Lambda-Runtime-Function-Error-Type: #{error.runtime_error_type}\r\n"
    head += "Lambda-Runtime-Function-XRay-Error-Cause: #{cause}\r\n" if cause && cause.bytesize < MAX_CAUSE_BYTES
    @socket.write(head, "content-length: #{body.bytesize}\r\n\r\n", body)
    @unanswered += 1
    settle
  end

  # Reads what is said to posts; whatever it is, there is nothing to be done about it.
  def settle
    while @unanswered.positive?
      read
      @unanswered -= 1
    end
  end

  def read
    status = line[9, 3].to_i
    headers = {}
    until (text = line).empty?
      name, _, value = text.partition(':')
      headers[name.downcase] = value.strip
    end
    length = headers['content-length'].to_i
    bytes = length.zero? ? +'' : @socket.read(length)
    raise EOFError, 'The Runtime API is gone' if bytes.nil? || bytes.bytesize < length

    Event.new(status, headers, bytes)
  end

  def line
    text = @socket.gets("\n") or raise EOFError, 'The Runtime API is gone'
    text.force_encoding(Encoding::UTF_8).chomp
  end
end
