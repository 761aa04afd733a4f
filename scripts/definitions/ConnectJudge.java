package judged;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import kafka.server.KafkaConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.connector.Connector;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.connector.policy.ConnectorClientConfigOverridePolicy;
import org.apache.kafka.connect.health.ConnectorType;
import org.apache.kafka.connect.runtime.ConnectorConfig;
import org.apache.kafka.connect.runtime.SinkConnectorConfig;
import org.apache.kafka.connect.runtime.SourceConnectorConfig;
import org.apache.kafka.connect.runtime.Worker;
import org.apache.kafka.connect.runtime.WorkerConfig;
import org.apache.kafka.connect.runtime.distributed.DistributedConfig;
import org.apache.kafka.connect.runtime.distributed.DistributedHerder;
import org.apache.kafka.connect.runtime.isolation.Plugins;
import org.apache.kafka.connect.runtime.rest.ConnectRestServer;
import org.apache.kafka.connect.runtime.rest.entities.ConfigInfos;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.source.ConnectorTransactionBoundaries;
import org.apache.kafka.connect.source.ExactlyOnceSupport;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.storage.MemoryConfigBackingStore;
import org.apache.kafka.connect.storage.MemoryOffsetBackingStore;
import org.apache.kafka.connect.storage.MemoryStatusBackingStore;
import org.apache.kafka.connect.util.FutureCallback;
import org.apache.kafka.connect.util.TopicAdmin;
import org.apache.kafka.connect.util.TopicCreationGroup;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Kafka Connect's own verdict on the entries of a worker and of a connector, so that ours can be compared with it.
 *
 * <p>Run as {@code java -cp '<folder of Kafka's jars>/*' ConnectJudge.java}. A line of standard input is one
 * configuration: {@code worker}, {@code entries} (of a worker, each by itself) or {@code connector}, then keys and values in turn, each in Base64, with one space in
 * between. A line of standard output is the verdict: {@code accepted}, or {@code refused} and Connect's reasons in
 * Base64. A worker is put together as a process would do it, up to its first request to a broker; connectors are judged
 * by the worker that was accepted last: validated by its herder, as {@code PUT /connectors/.../config} does, and
 * then prepared as for a start of their tasks.
 */
public final class ConnectJudge {
    private static Workers current;

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", -1);
            Map<String, String> entries = new HashMap<>();
            for (int i = 1; i + 1 < words.length; i += 2) entries.put(decoded(words[i]), decoded(words[i + 1]));
            String reasons;
            try {
                if (words[0].equals("worker")) {
                    current = new Workers(entries);
                    reasons = null;
                } else if (words[0].equals("entries")) {
                    new DistributedConfig(entries);
                    reasons = null;
                } else {
                    reasons = current.reasons(entries);
                }
            } catch (Exception | LinkageError refusal) {
                reasons = causes(refusal);
            }
            System.out.println(reasons == null ? "accepted" : "refused " + encoded(reasons));
        }
        System.exit(0);
    }

    private static String causes(Throwable refusal) {
        StringBuilder text = new StringBuilder();
        for (Throwable each = refusal; each != null; each = each.getCause()) {
            if (!(each instanceof InvocationTargetException)) text.append(each).append("; ");
        }
        return text.toString();
    }

    /** A worker without brokers. */
    private static final class Workers {
        private final DistributedConfig config;
        private final Plugins plugins;
        private final ConnectorClientConfigOverridePolicy policy;
        private final DistributedHerder herder;

        Workers(Map<String, String> entries) throws Exception {
            plugins = plugins(entries);
            plugins.compareAndSwapWithDelegatingLoader();
            config = new DistributedConfig(entries);
            field(WorkerConfig.class, "kafkaClusterId").set(config, "judged"); // which it would ask a broker for
            new ConnectRestServer(config.rebalanceTimeout(), null, config.originals());
            policy = plugins.newPlugin(
                config.getString(WorkerConfig.CONNECTOR_CLIENT_POLICY_CLASS_CONFIG), config, ConnectorClientConfigOverridePolicy.class);
            Worker worker = new Worker("judge:8083", Time.SYSTEM, plugins, config, new MemoryOffsetBackingStore() {
                @Override
                public java.util.Set<Map<String, Object>> connectorPartitions(String connector) {
                    return java.util.Set.of();
                }
            }, policy);
            herder = new DistributedHerder(config, Time.SYSTEM, worker, "judged", new MemoryStatusBackingStore(),
                new MemoryConfigBackingStore(worker.configTransformer()), "http://judge:8083", null, policy, List.of());
            Object member = field(DistributedHerder.class, "member").get(herder);
            member.getClass().getMethod("stop").invoke(member);
            // What the first connector would meet.
            for (String converter : List.of("key.converter", "value.converter")) {
                plugins.newConverter(config, converter, Plugins.ClassLoaderUsage.PLUGINS);
            }
            plugins.newHeaderConverter(config, "header.converter", Plugins.ClassLoaderUsage.PLUGINS);
            Map<String, String> plain = Map.of("name", "plain", "connector.class", Sink.class.getName(), "topics", "orders");
            ConnectorConfig connector = new SinkConnectorConfig(plugins, plain);
            if (any(entries, "producer.")) openProducer(connector);
            if (any(entries, "consumer.")) openConsumer(connector);
            if (any(entries, "admin.")) openAdmin(connector, ConnectorType.SINK);
        }

        /** Those of Kafka's own jars, and the connectors below, which no service file names. */
        private static Plugins plugins(Map<String, String> entries) {
            Map<String, String> here = new HashMap<>(entries);
            here.remove("plugin.path");
            here.putIfAbsent("plugin.discovery", "service_load"); // in place of a search through all jars
            return new Plugins(here) {
                @Override
                public Connector newConnector(String name) {
                    if (name.equals(Sink.class.getName())) return new Sink();
                    return name.equals(Source.class.getName()) ? new Source() : super.newConnector(name);
                }
            };
        }

        /** What is wrong with a connector; null if nothing is. */
        String reasons(Map<String, String> entries) throws Exception {
            FutureCallback<ConfigInfos> answer = new FutureCallback<>();
            herder.validateConnectorConfig(entries, answer, false);
            ConfigInfos found = answer.get();
            if (found.errorCount() > 0) {
                List<String> told = new ArrayList<>();
                found.values().forEach(each -> each.configValue().errors().forEach(
                    error -> told.add(each.configValue().name() + ": " + error)));
                return String.join("; ", told);
            }
            boolean sink = entries.containsKey("topics") || entries.containsKey("topics.regex");
            ConnectorConfig connector = sink
                ? new SinkConnectorConfig(plugins, entries)
                : new SourceConnectorConfig(plugins, entries, config.topicCreationEnable());
            connector.transformationStages();
            for (String converter : List.of("key.converter", "value.converter")) {
                plugins.newConverter(connector, converter, Plugins.ClassLoaderUsage.CURRENT_CLASSLOADER);
            }
            plugins.newHeaderConverter(connector, "header.converter", Plugins.ClassLoaderUsage.CURRENT_CLASSLOADER);
            if (connector instanceof SourceConnectorConfig) topicsAreCreated((SourceConnectorConfig) connector);
            if (any(entries, "producer.override.")) openProducer(connector);
            if (any(entries, "consumer.override.")) openConsumer(connector);
            if (any(entries, "admin.override.")) openAdmin(connector, sink ? ConnectorType.SINK : ConnectorType.SOURCE);
            return null;
        }

        private void topicsAreCreated(SourceConnectorConfig connector) {
            if (!connector.usesTopicCreation()) return;
            Properties broker = new Properties();
            broker.setProperty("zookeeper.connect", "localhost:2181");
            Map<String, Object> brokers = KafkaConfig.fromProps(broker, false).extractLogConfigMap();
            for (TopicCreationGroup group : TopicCreationGroup.configuredGroups(connector).values()) {
                Properties settings = new Properties();
                settings.putAll(group.newTopic("any").configs());
                LogConfig.validate(Map.of(), settings, brokers, false, true);
            }
        }

        private void openProducer(ConnectorConfig connector) throws Exception {
            new KafkaProducer<>(configs("baseProducerConfigs", connector)).close(Duration.ZERO);
        }

        private void openConsumer(ConnectorConfig connector) throws Exception {
            new KafkaConsumer<>(configs("baseConsumerConfigs", connector, ConnectorType.SINK)).close(Duration.ZERO);
        }

        private void openAdmin(ConnectorConfig connector, ConnectorType type) throws Exception {
            Admin.create(configs("adminConfigs", connector, type)).close(Duration.ZERO);
        }

        /** The configuration of a client as a worker makes it for a connector. */
        @SuppressWarnings("unchecked")
        private Map<String, Object> configs(String method, ConnectorConfig connector, ConnectorType... type) throws Exception {
            for (Method each : Worker.class.getDeclaredMethods()) {
                if (!each.getName().equals(method)) continue;
                each.setAccessible(true);
                List<Object> given = new ArrayList<>(List.of("judged", "judged", config, connector, Sink.class, policy, "judged"));
                given.addAll(List.of(type));
                return (Map<String, Object>) each.invoke(null, given.toArray());
            }
            throw new IllegalStateException("Worker has no " + method);
        }
    }

    private static Field field(Class<?> where, String name) throws ReflectiveOperationException {
        Field field = where.getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    private static boolean any(Map<String, String> entries, String prefix) {
        return entries.keySet().stream().anyMatch(key -> key.startsWith(prefix));
    }

    /** A sink that has no key of its own. */
    public static final class Sink extends SinkConnector {
        @Override
        public void start(Map<String, String> entries) { }

        @Override
        public Class<? extends Task> taskClass() {
            return null;
        }

        @Override
        public List<Map<String, String>> taskConfigs(int most) {
            return List.of();
        }

        @Override
        public void stop() { }

        @Override
        public ConfigDef config() {
            return new ConfigDef();
        }

        @Override
        public String version() {
            return "1";
        }
    }

    /** A source that has no key of its own, and can do everything that Connect may ask for. */
    public static final class Source extends SourceConnector {
        @Override
        public void start(Map<String, String> entries) { }

        @Override
        public Class<? extends Task> taskClass() {
            return null;
        }

        @Override
        public List<Map<String, String>> taskConfigs(int most) {
            return List.of();
        }

        @Override
        public void stop() { }

        @Override
        public ConfigDef config() {
            return new ConfigDef();
        }

        @Override
        public String version() {
            return "1";
        }

        @Override
        public ExactlyOnceSupport exactlyOnceSupport(Map<String, String> entries) {
            return ExactlyOnceSupport.SUPPORTED;
        }

        @Override
        public ConnectorTransactionBoundaries canDefineTransactionBoundaries(Map<String, String> entries) {
            return ConnectorTransactionBoundaries.SUPPORTED;
        }
    }

    private static String decoded(String word) {
        return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8);
    }

    private static String encoded(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
