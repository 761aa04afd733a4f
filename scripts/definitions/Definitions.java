import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarFile;

import kafka.security.authorizer.AclAuthorizer;
import kafka.server.DynamicBrokerConfig$;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.metrics.JmxReporter;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.connect.runtime.ConnectorConfig;
import org.apache.kafka.connect.runtime.SinkConnectorConfig;
import org.apache.kafka.connect.runtime.SourceConnectorConfig;
import org.apache.kafka.connect.runtime.TopicCreationConfig;
import org.apache.kafka.connect.runtime.distributed.Crypto;
import org.apache.kafka.connect.runtime.distributed.DistributedConfig;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;
import org.apache.kafka.connect.transforms.util.NonEmptyListValidator;
import org.apache.kafka.raft.QuorumConfig;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.common.MetadataVersionValidator;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.KRaftConfigs;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.ThrottledReplicaListValidator;

/**
 * Prints Kafka's own configuration definitions as JSON, one key per line.
 *
 * <p>Run as {@code java -cp '<folder of Kafka's jars>/*' Definitions.java [connect]}. Everything is read from the classes of the
 * broker itself; what cannot be read stops the run, so that a new kind of rule in a later Kafka is never dropped
 * silently. No documentation text is taken over.
 */
public final class Definitions {
    /** A validator that keeps its bounds to itself is asked about every integer up to this size, and the extremes. */
    private static final int ASKED = 1000;

    /** Validators of Connect whose demands are not a property of the text alone, or are left to Connect. */
    private static final Set<String> WITHOUT_RULE = Set.of(
        "ListenersValidator", "AdminListenersValidator", "ResponseHttpHeadersValidator", "ConcreteSubClassValidator",
        "InstantiableClassValidator", "RegexValidator", "org.apache.kafka.connect.runtime.ConnectorConfig$1",
        "org.apache.kafka.connect.transforms.Cast$1", "org.apache.kafka.connect.transforms.ReplaceField$1");
    private static final Set<String> KEYS_WITHOUT_RULE = Set.of(
        "inter.worker.key.generation.algorithm", "inter.worker.signature.algorithm",
        "inter.worker.verification.algorithms", "topic.creation.groups");

    public static void main(String[] arguments) throws ReflectiveOperationException, java.io.IOException {
        Set<String> deprecated = deprecatedKeys();
        if (arguments.length > 0 && arguments[0].equals("connect")) {
            System.out.println(connect(deprecated));
            return;
        }
        StringBuilder out = new StringBuilder("{\n");
        out.append("\"kafka\": ").append(json(AppInfoParser.getVersion())).append(",\n");
        out.append("\"topic\": {\n").append(lines(topicDefinitions(deprecated))).append("},\n");
        out.append("\"broker\": {\n").append(lines(brokerDefinitions(deprecated))).append("},\n");
        out.append("\"plugin_keys\": ").append(json(pluginKeys())).append(",\n");
        out.append("\"plugin_prefixes\": ").append(json(pluginPrefixes())).append(",\n");
        out.append("\"metadata_versions\": ").append(json(metadataVersions())).append("\n}");
        System.out.println(out);
    }

    private static String connect(Set<String> deprecated) throws ReflectiveOperationException, java.io.IOException {
        Map<String, String> scopes = new LinkedHashMap<>();
        scopes.put("worker", lines(connectDefinitions(workerConfig(), deprecated)));
        scopes.put("producer", lines(connectDefinitions(ProducerConfig.configDef(), deprecated)));
        scopes.put("consumer", lines(connectDefinitions(ConsumerConfig.configDef(), deprecated)));
        scopes.put("admin", lines(connectDefinitions(AdminClientConfig.configDef(), deprecated)));
        scopes.put("connector", lines(connectDefinitions(ConnectorConfig.configDef(), deprecated)));
        scopes.put("sink", lines(connectDefinitions(SinkConnectorConfig.configDef(), deprecated)));
        scopes.put("source", lines(connectDefinitions(SourceConnectorConfig.configDef(), deprecated)));
        scopes.put("topic_creation", lines(connectDefinitions(TopicCreationConfig.defaultGroupConfigDef(), deprecated)));
        for (Class<?> kind : List.of(Converter.class, HeaderConverter.class, Transformation.class, Predicate.class)) {
            List<String> described = new ArrayList<>();
            for (Class<?> each : plugins(kind)) {
                Object plugin = each.getConstructor().newInstance();
                ConfigDef config = (ConfigDef) each.getMethod("config").invoke(plugin);
                described.add(json(each.getName()) + ": {\n" + lines(connectDefinitions(config, deprecated)) + "}");
            }
            scopes.put(kind.getSimpleName().toLowerCase(Locale.ROOT), String.join(",\n", described) + "\n");
        }
        List<String> parts = new ArrayList<>(List.of("\"kafka\": " + json(AppInfoParser.getVersion())));
        scopes.forEach((scope, lines) -> parts.add(json(scope) + ": {\n" + lines + "}"));
        return "{\n" + String.join(",\n", parts) + "\n}";
    }

    private static ConfigDef workerConfig() throws ReflectiveOperationException {
        Method config = DistributedConfig.class.getDeclaredMethod("config", Crypto.class);
        config.setAccessible(true);
        return (ConfigDef) config.invoke(null, Crypto.SYSTEM);
    }

    private static Map<String, Map<String, Object>> connectDefinitions(ConfigDef config, Set<String> deprecated)
            throws ReflectiveOperationException {
        Map<String, Map<String, Object>> definitions = new TreeMap<>();
        for (ConfigDef.ConfigKey key : config.configKeys().values()) definitions.put(key.name, definition(key, deprecated));
        return definitions;
    }

    /** Classes of Kafka's own jars that Connect would load as plugins of the kind. */
    private static List<Class<?>> plugins(Class<?> kind) throws ReflectiveOperationException, java.io.IOException {
        Map<String, Class<?>> found = new TreeMap<>();
        for (String path : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
            if (!Path.of(path).getFileName().toString().matches("connect-(api|json|runtime|transforms)-.*\\.jar")) continue;
            try (JarFile jar = new JarFile(path)) {
                for (var entry : (Iterable<java.util.jar.JarEntry>) jar.stream()::iterator) {
                    if (!entry.getName().matches("org/apache/kafka/connect/(converters|json|storage|transforms)/.*\\.class")) continue;
                    Class<?> each = Class.forName(
                        entry.getName().replace('/', '.').replace(".class", ""), false, Definitions.class.getClassLoader());
                    int modifiers = each.getModifiers();
                    if (kind.isAssignableFrom(each) && !Modifier.isAbstract(modifiers) && Modifier.isPublic(modifiers)) {
                        found.put(each.getName(), each);
                    }
                }
            }
        }
        return List.copyOf(found.values());
    }

    private static Map<String, Map<String, Object>> topicDefinitions(Set<String> deprecated)
            throws ReflectiveOperationException {
        Map<String, Map<String, Object>> definitions = new TreeMap<>();
        for (ConfigDef.ConfigKey key : LogConfig.configKeys().values()) {
            Map<String, Object> definition = definition(key, deprecated);
            // In the order in which the broker looks: log.retention.ms before log.retention.minutes.
            List<ConfigSynonym> synonyms = ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.get(key.name);
            if (synonyms != null) {
                // Each with what one unit of it is in units of the topic's key: 3600000 for hours.
                Map<String, Object> units = new LinkedHashMap<>();
                for (ConfigSynonym synonym : synonyms) units.put(synonym.name(), Long.valueOf(synonym.converter().apply("1")));
                definition.put("broker_keys", units);
            }
            definitions.put(key.name, definition);
        }
        return definitions;
    }

    private static Map<String, Map<String, Object>> brokerDefinitions(Set<String> deprecated)
            throws ReflectiveOperationException {
        Map<String, String> updateModes = DynamicBrokerConfig$.MODULE$.dynamicConfigUpdateModes();
        Set<String> kraft = new TreeSet<>(KRaftConfigs.CONFIG_DEF.names());
        kraft.addAll(QuorumConfig.CONFIG_DEF.names());
        Set<String> perMechanism = perMechanismKeys();
        Map<String, Map<String, Object>> definitions = new TreeMap<>();
        for (ConfigDef.ConfigKey key : AbstractKafkaConfig.CONFIG_DEF.configKeys().values()) {
            Map<String, Object> definition = definition(key, deprecated);
            definition.put("update", updateModes.getOrDefault(key.name, "read-only"));
            if (kraft.contains(key.name)) definition.put("kraft", true);
            if (perMechanism.contains(key.name)) definition.put("per_mechanism", true);
            definitions.put(key.name, definition);
        }
        return definitions;
    }

    private static Map<String, Object> definition(ConfigDef.ConfigKey key, Set<String> deprecated)
            throws ReflectiveOperationException {
        Map<String, Object> definition = new TreeMap<>();
        definition.put("type", key.type.name());
        definition.put("importance", key.importance.name().toLowerCase(Locale.ROOT));
        if (!key.hasDefault()) definition.put("required", true);
        else if (key.defaultValue != null) definition.put("default", ConfigDef.convertToString(key.defaultValue, key.type));
        if (key.internalConfig) definition.put("internal", true);
        if (deprecated.contains(key.name)) definition.put("deprecated", true);
        if (key.validator != null) putRule(definition, key);
        return definition;
    }

    /** What the validator of a key demands, read from its fields. */
    private static void putRule(Map<String, Object> definition, ConfigDef.ConfigKey key)
            throws ReflectiveOperationException {
        putRule(definition, key, key.validator);
    }

    private static void putRule(Map<String, Object> definition, ConfigDef.ConfigKey key, ConfigDef.Validator validator)
            throws ReflectiveOperationException {
        if (validator instanceof ConfigDef.CompositeValidator) {
            for (Object each : (Collection<?>) field(validator, "validators")) putRule(definition, key, (ConfigDef.Validator) each);
        } else if (validator instanceof ConfigDef.Range) {
            putBound(definition, "minimum", (Number) field(validator, "min"));
            putBound(definition, "maximum", (Number) field(validator, "max"));
        } else if (validator instanceof ConfigDef.ValidString) {
            definition.put("allowed", field(validator, "validStrings"));
        } else if (validator instanceof ConfigDef.ValidList) {
            definition.put("allowed", field(field(validator, "validString"), "validStrings"));
        } else if (validator instanceof ConfigDef.CaseInsensitiveValidString) {
            definition.put("allowed", new TreeSet<>((Collection<?>) field(validator, "validStrings")));
            definition.put("ignore_case", true);
        } else if (validator instanceof MetadataVersionValidator) {
            definition.put("form", "metadata-version");
        } else if (validator instanceof ThrottledReplicaListValidator) {
            definition.put("form", "throttled-replicas");
        } else if (validator instanceof ConfigDef.NonEmptyString || validator instanceof NonEmptyListValidator
                || validator instanceof ConfigDef.NonEmptyStringWithoutControlChars) {
            definition.put("form", "non-empty");
        } else if (validator instanceof ConfigDef.NonNullValidator
                || validator instanceof QuorumConfig.ControllerQuorumVotersValidator
                || validator instanceof QuorumConfig.ControllerQuorumBootstrapServersValidator) {
            // A declared value is never null, and the keys of KRaft are refused whole.
        } else if (key.type == ConfigDef.Type.INT) {
            putAskedBounds(definition, key);
        } else if (validator.toString().startsWith("Positive number not larger than the number of brokers")) {
            definition.put("minimum", 1);
            definition.put("also", List.of(-1));
        } else if (validator.toString().equals("[0,...]")) {
            definition.put("minimum", 0);
        } else if (validator.toString().matches("\\[[a-z]+(, [a-z]+)*]")) {
            putAskedChoices(definition, key, List.of(validator.toString().replaceAll("[\\[\\]]", "").split(", ")));
        } else if (!WITHOUT_RULE.contains(validator.getClass().getSimpleName().isEmpty()
                ? validator.getClass().getName() : validator.getClass().getSimpleName())
                && !KEYS_WITHOUT_RULE.contains(key.name)) {
            throw new IllegalStateException("no rule known for the validator " + validator.getClass() + " of " + key.name);
        }
    }

    /** Whether a validator that only describes itself takes its choices in capitals too is asked of it. */
    private static void putAskedChoices(Map<String, Object> definition, ConfigDef.ConfigKey key, List<String> choices) {
        List<String> capitals = choices.stream().map(each -> each.toUpperCase(Locale.ROOT)).sorted().toList();
        try {
            for (String each : capitals) key.validator.ensureValid(key.name, each);
        } catch (ConfigException refused) {
            definition.put("allowed", choices);
            return;
        }
        definition.put("allowed", capitals);
        definition.put("ignore_case", true);
    }

    private static void putBound(Map<String, Object> definition, String name, Number bound) {
        if (bound != null) definition.put(name, bound);
    }

    /** Asks a validator without readable bounds: one range up to the largest integer or a limit, and single values. */
    private static void putAskedBounds(Map<String, Object> definition, ConfigDef.ConfigKey key) {
        List<int[]> runs = new ArrayList<>();
        for (int value = -ASKED; value <= ASKED; value++) {
            if (!accepts(key, value)) continue;
            if (!runs.isEmpty() && runs.get(runs.size() - 1)[1] == value - 1) runs.get(runs.size() - 1)[1] = value;
            else runs.add(new int[] {value, value});
        }
        int[] range = runs.remove(runs.size() - 1);
        boolean open = range[1] == ASKED && accepts(key, Integer.MAX_VALUE);
        if (accepts(key, Integer.MIN_VALUE) || (range[1] == ASKED) != open || runs.stream().anyMatch(run -> run[0] != run[1]))
            throw new IllegalStateException("the values that " + key.name + " takes are not one range and single values");
        definition.put("minimum", range[0]);
        if (!open) definition.put("maximum", range[1]);
        if (!runs.isEmpty()) definition.put("also", runs.stream().map(run -> run[0]).toList());
    }

    private static boolean accepts(ConfigDef.ConfigKey key, int value) {
        try {
            key.validator.ensureValid(key.name, value);
            return true;
        } catch (ConfigException refused) {
            return false;
        }
    }

    /** Keys that stand under a SASL mechanism: listener.name.LISTENER.MECHANISM.KEY. */
    private static Set<String> perMechanismKeys() throws ReflectiveOperationException {
        Field keys = DynamicBrokerConfig$.class.getDeclaredField("ListenerMechanismConfigs");
        keys.setAccessible(true);
        Set<String> names = new TreeSet<>();
        scala.collection.Iterator<?> iterator = ((scala.collection.Set<?>) keys.get(null)).iterator();
        while (iterator.hasNext()) names.add((String) iterator.next());
        return names;
    }

    /** Keys that Kafka's own plugins read from the broker's properties without defining them. */
    private static Set<String> pluginKeys() {
        return new TreeSet<>(Set.of(
            AclAuthorizer.SuperUsersProp(),
            AclAuthorizer.AllowEveryoneIfNoAclIsFoundProp(),
            JmxReporter.INCLUDE_CONFIG,
            JmxReporter.EXCLUDE_CONFIG,
            AbstractConfig.CONFIG_PROVIDERS_CONFIG));
    }

    private static Set<String> pluginPrefixes() {
        return new TreeSet<>(Set.of(
            AclAuthorizer.configPrefix() + "zookeeper.",  // it reads nothing else under its prefix
            CommonClientConfigs.METRICS_CONTEXT_PREFIX,
            AbstractConfig.CONFIG_PROVIDERS_CONFIG + "."));
    }

    /** Release numbers and versions a broker takes; it compares the first two segments, three before 1.0. */
    private static Collection<?> metadataVersions() throws ReflectiveOperationException {
        Field versions = MetadataVersion.class.getDeclaredField("IBP_VERSIONS");
        versions.setAccessible(true);
        return new TreeSet<>(((Map<?, ?>) versions.get(null)).keySet());
    }

    /** The values of all constants of Kafka's broker configuration classes that are marked as deprecated. */
    private static Set<String> deprecatedKeys() throws ReflectiveOperationException, java.io.IOException {
        Set<String> keys = new TreeSet<>();
        for (String path : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
            if (!Path.of(path).getFileName().toString().matches("kafka.*\\.jar")) continue;
            try (JarFile jar = new JarFile(path)) {
                for (var entry : (Iterable<java.util.jar.JarEntry>) jar.stream()::iterator) {
                    if (!entry.getName().matches("org/apache/kafka/(common/config|server|coordinator|storage|raft|security)/.*Configs?\\.class"))
                        continue;
                    String name = entry.getName().replace('/', '.').replace(".class", "");
                    for (Field field : Class.forName(name, false, Definitions.class.getClassLoader()).getDeclaredFields()) {
                        if (field.getType() != String.class || !Modifier.isStatic(field.getModifiers())) continue;
                        if (!field.isAnnotationPresent(Deprecated.class)) continue;
                        field.setAccessible(true);
                        keys.add((String) field.get(null));
                    }
                }
            }
        }
        return keys;
    }

    private static Object field(Object object, String name) throws ReflectiveOperationException {
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }

    private static String lines(Map<String, Map<String, Object>> definitions) {
        List<String> lines = new ArrayList<>();
        definitions.forEach((name, definition) -> lines.add(json(name) + ": " + json(definition)));
        return String.join(",\n", lines) + "\n";
    }

    private static String json(Object value) {
        if (value instanceof Number || value instanceof Boolean) return value.toString();
        if (value instanceof Map<?, ?> map) {
            List<String> pairs = new ArrayList<>();
            map.forEach((name, item) -> pairs.add(json(name) + ": " + json(item)));
            return "{" + String.join(", ", pairs) + "}";
        }
        if (value instanceof Collection<?> items) return "[" + String.join(", ", items.stream().map(Definitions::json).toList()) + "]";
        StringBuilder text = new StringBuilder("\"");
        for (char character : value.toString().toCharArray()) {
            if (character == '"' || character == '\\') text.append('\\').append(character);
            else if (character < ' ' || character > '~') text.append(String.format("\\u%04x", (int) character));
            else text.append(character);
        }
        return text.append('"').toString();
    }
}
