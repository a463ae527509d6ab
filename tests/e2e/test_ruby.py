"""Ruby functions with real clients: handlers of every form, the context, errors, logs, gems, layers, limits."""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

Deploy = Callable[..., Any]


@pytest.fixture(scope="module")
def ruby(platform: Any) -> str:
    """A runtime that is prepared here."""
    names = [r["name"] for r in platform.health["runtimes"] if r["name"].startswith("ruby")]
    if not names:
        pytest.skip("no Ruby is prepared here: lambent runtimes add ruby3.4")
    return str(names[0])


@pytest.fixture
def deploy_ruby(deploy: Deploy, ruby: str) -> Deploy:
    """Deploys Ruby as ``app.rb``, or files."""

    def make(source: Any, **settings: Any) -> Any:
        files = source if isinstance(source, dict) else {"app.rb": source}
        return deploy(files, **{"Runtime": ruby, "Handler": "app.handler"} | settings)

    return make


def test_a_method_and_its_context(deploy_ruby: Deploy, ruby: str) -> None:
    """The context has AWS's attributes; globals live on between events."""
    function = deploy_ruby("""
        $count = 0
        def handler(event:, context:)
          $count += 1
          { event: event, count: $count, id: context.aws_request_id, arn: context.invoked_function_arn,
            name: context.function_name, version: context.function_version, memory: context.memory_limit_in_mb,
            left: context.get_remaining_time_in_millis, deadline: context.deadline_ms, group:
            context.log_group_name, stream: context.log_stream_name, client: context.client_context, identity:
            context.identity, env: ENV.to_h, dir: Dir.pwd, encoding: Encoding.default_external.to_s, nothing: nil }
        end
    """, Environment={"Variables": {"OWN": "ä€"}})  # fmt: skip
    event = {"a": "ä€𝄞\n", "n": [1, -2.5, 10**20, True, None]}
    sent = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    first = function(event, ClientContext=sent)
    assert first.error is None, first.payload
    payload = first.payload
    assert (payload["event"], payload["count"]) == (event, 1)
    assert (payload["id"], payload["arn"]) == (first.request_id, function.arn)
    assert (payload["name"], payload["version"], payload["memory"]) == (
        function.name,
        "$LATEST",
        "128",
    )
    assert 0 < payload["left"] <= 10_000
    assert abs(payload["deadline"] / 1000 - time.time()) < 10
    assert payload["group"] == f"/aws/lambda/{function.name}"
    assert (payload["client"], payload["identity"], payload["nothing"]) == (
        {"custom": {"k": "v"}},
        None,
        None,
    )
    assert payload["env"]["OWN"] == "ä€"
    assert payload["env"]["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{ruby}"
    assert payload["encoding"] == "UTF-8"
    assert function({}, ClientContext=sent).payload["count"] == 2


def test_handlers_of_every_form(deploy_ruby: Deploy) -> None:
    """A class's method, one of a class in a module, a file in a directory; what is read from a stream passes
    as it is."""
    files = {
        "lib/tool.rb": "module Tool; def self.twice(x) = x * 2; end",
        "src/app.rb": """
            require 'lib/tool'
            module Shop
              class Till
                def self.process(event:, context:) = Tool.twice(event['n'])
                def self.stream(event:, context:) = StringIO.new('<raw>')
                def self.late(event:, context:) = JSON.parse(Net::HTTP.name.to_json)
              end
            end
            def plain(event:, context:) = 'plain'
        """,
    }
    function = deploy_ruby(files, Handler="src/app.Shop::Till.process")
    assert function({"n": 21}).payload == 42
    for handler, raw in (
        ("src/app.plain", b'"plain"'),
        ("src/app.Shop::Till.stream", b"<raw>"),
        ("src/app.Shop::Till.late", b'"Net::HTTP"'),
    ):
        function.client.update_function_configuration(FunctionName=function.name, Handler=handler)
        function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
        assert function({}).raw == raw


def test_errors_have_awss_form(deploy_ruby: Deploy) -> None:
    """``Function<Class>`` with message and trace; after a common error the process lives on, after others it
    ends."""
    function = deploy_ruby("""
        class Odd < StandardError; end
        $count = 0
        def handler(event:, context:)
          $count += 1
          case event['what']
          when 'odd' then raise Odd, "no: ä"
          when 'name' then nothing_there
          when 'exit' then exit 3
          when 'exit!' then exit! 3
          when 'deep' then handler(event: event, context: context)
          when 'binary' then raise "\\xff\\xfe".b
          when 'unwritable' then Float::NAN
          else $count
          end
        end
    """)
    answer = function({"what": "odd"})
    assert answer.error == "Unhandled"
    assert (answer.payload["errorType"], answer.payload["errorMessage"]) == (
        "Function<Odd>",
        "no: ä",
    )
    (place,) = answer.payload["stackTrace"]
    assert re.search(r"/app\.rb:7:in [`'](Object#)?handler'$", place)
    assert "Error raised from handler method\n{\n" in answer.log
    assert '"errorType": "Function<Odd>"' in answer.log
    assert function({}).payload == 2
    assert function({"what": "binary"}).payload["errorType"] == "Function<RuntimeError>"
    assert function({"what": "unwritable"}).payload["errorType"] == "Function<JSON::GeneratorError>"
    assert function({}).payload == 5
    for what, error_type in (
        ("name", "NameError"),
        ("exit", "SystemExit"),
        ("deep", "SystemStackError"),
    ):
        answer = function({"what": what})
        assert answer.payload["errorType"] == f"Function<{error_type}>"
        assert (
            what == "deep" or "Critical exception from handler" in answer.log
        )  # the tail is all trace
        assert function({}).payload == 1
    ended = function({"what": "exit!"}).payload
    assert ended["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in ended["errorMessage"]


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("", "missing.handler", "Init<LoadError>", "cannot load such file -- missing"),
        ("require 'nothing_there'", "app.handler", "Init<LoadError>", "cannot load such file -- nothing_there"),
        ("raise 'broken'", "app.handler", "Init<RuntimeError>", "broken"),
        ("def handler(", "app.handler", "Init<SyntaxError>", "app.rb"),
        ("", "app", "Init<ArgumentError>", "Invalid handler"),
        ("", "app.nothing", "Function<NoMethodError>", "undefined method `nothing' for"),
        ("", "app.No.thing", "Function<NameError>", "uninitialized constant"),
        ("def handler(event, context) = 1", "app.handler", "Function<ArgumentError>", "wrong number of arguments"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded(
    deploy_ruby: Deploy, source: str, handler: str, error_type: str, message: str
) -> None:
    """Every invocation is answered with the reason, in AWS's words."""
    function = deploy_ruby(source, Handler=handler)
    for _ in range(2):
        payload = function({}).payload
        assert payload["errorType"] == error_type
        assert message in payload["errorMessage"].replace("'nothing'", "`nothing'")


def test_the_log(deploy_ruby: Deploy) -> None:
    """``puts`` is one event a call, loggers have AWS's form with the request id; JSON and its filter where
    configured."""
    source = """
        LOGGER = Logger.new($stdout)
        def handler(event:, context:)
          puts "one\\ntwo", ["three", nil]
          print "printed\\n"
          $stderr.puts "to err"
          p({ a: 1 })
          LOGGER.info("logged ä")
          LOGGER.debug("debugging")
          Logger.new($stderr, progname: 'name').error(RuntimeError.new('bad'))
        end
    """
    answer = deploy_ruby(source)({})
    for line in ("one", "two", "three", "printed", "to err", "{:a=>1}"):
        assert f"\n{line}\n" in answer.log.replace('{"a" => 1}', "{:a=>1}"), line
    stamp = r"\[\d{4}-\d\d-\d\dT[\d:.]+ #\d+\]"
    assert re.search(
        rf"^I, {stamp}  INFO {answer.request_id} -- : logged ä$", answer.log, re.MULTILINE
    )
    assert re.search(
        rf"^E, {stamp} ERROR {answer.request_id} -- name: bad \(RuntimeError\)$",
        answer.log,
        re.MULTILINE,
    )
    assert "debugging" in answer.log
    answer = deploy_ruby(
        source, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}
    )({})
    found = [json.loads(line) for line in answer.log.splitlines() if line.startswith('{"timestamp')]
    said = {r["message"]: r for r in found}
    assert said["logged ä"]["level"] == "INFO"
    assert said["logged ä"]["requestId"] == answer.request_id
    assert (said["bad"]["errorType"], said["bad"]["logger"]) == ("RuntimeError", "name")
    assert "debugging" not in answer.log


def test_gems_of_the_function_and_of_layers(
    deploy_ruby: Deploy, ruby: str, client: Any, zip_of: Callable[..., bytes]
) -> None:
    """Gems in ``vendor/bundle`` and in a layer's ``ruby/gems``, files in a layer's ``ruby/lib``."""
    api = f"{ruby.removeprefix('ruby')}.0"

    def gem(root: str, name: str) -> dict[str, str]:
        return {
            f"{root}/specifications/{name}-1.0.gemspec": f"""
                Gem::Specification.new {{ |s| s.name = '{name}'; s.version = '1.0'; s.summary = 's'
                  s.authors = ['a']; s.files = ['lib/{name}.rb']; s.require_paths = ['lib'] }}
            """,
            f"{root}/gems/{name}-1.0/lib/{name}.rb": f"{name.upper()} = '{name}'",
        }

    content = gem(f"ruby/gems/{api}", "layered") | {"ruby/lib/plain.rb": "PLAIN = 'plain'"}
    layer = client.publish_layer_version(LayerName="e2e-ruby", Content={"ZipFile": zip_of(content)})
    files = gem(f"vendor/bundle/ruby/{api}", "vendored") | {"app.rb": """
        require 'vendored'
        require 'layered'
        require 'plain'
        def handler(event:, context:) = [VENDORED, LAYERED, PLAIN, Gem.loaded_specs.key?('vendored')]
    """}  # fmt: skip
    function = deploy_ruby(files, Layers=[layer["LayerVersionArn"]])
    assert function({}).payload == ["vendored", "layered", "plain", True]


def test_large_events(deploy_ruby: Deploy) -> None:
    """Five megabytes pass in and out."""
    function = deploy_ruby("def handler(event:, context:) = event", MemorySize=512, Timeout=15)
    large = "x" * 5_000_000
    assert function(large).payload == large


def test_it_is_isolated_frozen_and_limited(
    deploy_ruby: Deploy, platform: Any, isolated: None
) -> None:
    """Threads stand still between events, a timeout ends it, memory and processes are limited, files read-only."""
    function = deploy_ruby("""
        require 'open3'
        $ticks = 0
        def handler(event:, context:)
          Thread.new { loop { $ticks += 1; sleep 0.005 } } if event['start']
          sleep 60 if event['hang']
          return [File.writable?('/var/runtime'), File.writable?('/var/task'), Dir.children('/tmp'),
                  Open3.capture2('id', '-u')[0].to_i > 999] if event['look']
          $ticks
        end
    """, Timeout=2, MemorySize=256)  # fmt: skip
    assert function({"look": 1}).payload == [False, False, [], True]
    function({"start": 1})
    before = function({}).payload
    time.sleep(0.3)
    assert function({}).payload - before < 40
    assert "Task timed out after 2.00 seconds" in function({"hang": 1}).payload["errorMessage"]
    assert function({}).payload == 0
    if not platform.health["sandbox"]["isolation"]["memory_limit"]:
        return  # without root, and without a cgroup that was delegated
    eater = deploy_ruby("""
        def handler(event:, context:)
          held = []
          loop { held << ('x' * (1 << 22)) }
        end
    """, Timeout=30, MemorySize=256)  # fmt: skip
    assert eater({}).payload["errorType"] == "Runtime.OutOfMemory"


def test_another_ruby_is_said_to_be_one(deploy_ruby: Deploy, ruby: str, platform: Any) -> None:
    """A function that runs under another release than it asks for says so, with what to do."""
    runtime = next(r for r in platform.get_health()["runtimes"] if r["name"] == ruby)
    log = deploy_ruby("def handler(event:, context:) = RUBY_VERSION")
    version = log({}).payload
    assert runtime["exact"] == (".".join(version.split(".")[:2]) == ruby.removeprefix("ruby"))
    if not runtime["exact"]:
        assert f"runs under Ruby {version}" in runtime["notice"]
        assert f"lambent runtimes add {ruby}" in runtime["notice"]


def test_on_a_stem_cell_it_is_like_any_other(
    deploy_ruby: Deploy, platform: Any, poll: Callable[..., Any], isolated: None
) -> None:
    """Directory, files, variables, standard input and search paths are those of a Ruby that was started for it."""
    files = {"data.txt": "content", "app.rb": """
        def handler(event:, context:)
          { cwd: Dir.pwd, relative: File.read('data.txt'), input: $stdin.read, names: ENV.keys.sort,
            tmp: Dir.children('/tmp'), child: `echo $OWN $AWS_LAMBDA_FUNCTION_NAME; pwd`, path: $LOAD_PATH,
            gems: Gem.path, fds: Dir.children('/proc/self/fd').size,
            encoding: [Encoding.default_external.to_s, ENV['OWN'].encoding.to_s] }
        end
    """}  # fmt: skip

    def deployed(**variables: str) -> Any:
        return deploy_ruby(
            files, MemorySize=192, Environment={"Variables": {"OWN": "own"} | variables}
        )

    assert deployed()({}).error is None
    poll(lambda: platform.get_health()["sandbox"]["loaded_stem_cells"], 30, "a stem cell")
    function = deployed()
    got = function({}).payload
    assert got["child"] == f"own {function.name}\n/var/task\n"
    assert (got["cwd"], got["relative"], got["input"]) == ("/var/task", "content", "")
    plain = deployed(RUBY_OWN="read by a Ruby when it starts")({}).payload
    plain["names"].remove("RUBY_OWN")
    assert got == plain | {"child": got["child"]}
