package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import java.util.LinkedHashMap;
import java.util.Map;

/** The context of one invocation. */
final class InvocationContext implements Context {
    private final RuntimeApi.Event event;
    private final ClientContext clientContext;
    private final CognitoIdentity identity;

    InvocationContext(RuntimeApi.Event event) {
        this.event = event;
        clientContext = isEmpty(event.clientContext) ? null : new Sent(object(event.clientContext));
        identity = isEmpty(event.cognitoIdentity) ? null : new Identity(object(event.cognitoIdentity));
    }

    @Override
    public String getAwsRequestId() {
        return event.requestId;
    }

    @Override
    public String getLogGroupName() {
        return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return event.invokedFunctionArn;
    }

    @Override
    public CognitoIdentity getIdentity() {
        return identity;
    }

    @Override
    public ClientContext getClientContext() {
        return clientContext;
    }

    @Override
    public int getRemainingTimeInMillis() {
        return (int) Math.max(0, event.deadlineMs - System.currentTimeMillis());
    }

    @Override
    public int getMemoryLimitInMB() {
        return Integer.parseInt(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
    }

    @Override
    public LambdaLogger getLogger() {
        return LambdaRuntime.getLogger();
    }

    @Override
    public String getXrayTraceId() {
        return event.traceId;
    }

    private static boolean isEmpty(String text) {
        return text == null || text.isEmpty();
    }

    private static Map<?, ?> object(String json) {
        Object read = JsonReader.read(json);
        return read instanceof Map ? (Map<?, ?>) read : new LinkedHashMap<>();
    }

    private static String text(Map<?, ?> object, String name) {
        Object value = object.get(name);
        return value == null ? null : value.toString();
    }

    private static final class Identity implements CognitoIdentity {
        private final Map<?, ?> sent;

        Identity(Map<?, ?> sent) {
            this.sent = sent;
        }

        @Override
        public String getIdentityId() {
            return text(sent, "cognitoIdentityId");
        }

        @Override
        public String getIdentityPoolId() {
            return text(sent, "cognitoIdentityPoolId");
        }
    }

    /** AWS's names: {@code client} with snake_case members, {@code custom}, {@code env}. */
    private static final class Sent implements ClientContext {
        private final Client client;
        private final Map<String, String> custom;
        private final Map<String, String> environment;

        Sent(Map<?, ?> sent) {
            Object given = sent.get("client");
            client = given instanceof Map ? new SentClient((Map<?, ?>) given) : null;
            custom = texts(sent.get("custom"));
            environment = texts(sent.get("env"));
        }

        private static Map<String, String> texts(Object given) {
            if (!(given instanceof Map)) {
                return null;
            }
            Map<String, String> texts = new LinkedHashMap<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) given).entrySet()) {
                Object value = entry.getValue();
                texts.put(entry.getKey().toString(), value == null ? null : value.toString());
            }
            return texts;
        }

        @Override
        public Client getClient() {
            return client;
        }

        @Override
        public Map<String, String> getCustom() {
            return custom;
        }

        @Override
        public Map<String, String> getEnvironment() {
            return environment;
        }
    }

    private static final class SentClient implements Client {
        private final Map<?, ?> sent;

        SentClient(Map<?, ?> sent) {
            this.sent = sent;
        }

        @Override
        public String getAppTitle() {
            return text(sent, "app_title");
        }

        @Override
        public String getAppVersionName() {
            return text(sent, "app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return text(sent, "app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return text(sent, "app_package_name");
        }
    }
}
