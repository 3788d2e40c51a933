# Runs the page's Rails code without Rails: a server on $PORT, and as much of Rails as that code names.
require "json"
require "socket"

module ActionController
  class API
    attr_reader :request, :status

    CODES = { no_content: 204, unauthorized: 401 }.freeze

    def initialize(request)
      @request = request
    end

    def head(status)
      @status = CODES.fetch(status)
    end
  end
end

class ApplicationRecord
  def self.transaction
    yield
  end
end

Request = Struct.new(:raw_post, :headers)
Created = Struct.new(:previously_new_record?)

class Comment
  def self.create!(session_key:, content:)
    raise "no session" if session_key.empty?

    puts "taken #{JSON.generate(content)}"
    $stdout.flush
  end
end

load ARGV.fetch(0)

class OpenclawDelivery
  @ids = {}

  def self.create_or_find_by!(webhook_id:)
    Created.new(@ids.key?(webhook_id) ? false : (@ids[webhook_id] = true))
  end
end

server = TCPServer.new("127.0.0.1", Integer(ENV.fetch("PORT")))
loop do
  socket = server.accept
  verb, = socket.gets.to_s.split
  headers = {}
  while (line = socket.gets.to_s.chomp) != ""
    name, value = line.split(": ", 2)
    headers[name.downcase] = value
  end
  status = 404
  if verb == "POST"
    controller = OpenclawMessagesController.new(Request.new(socket.read(Integer(headers.fetch("content-length"))), headers))
    controller.create
    status = controller.status
  end
  socket.write("HTTP/1.1 #{status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
  socket.close
end
