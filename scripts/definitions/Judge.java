import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Kafka's own verdict on configurations, so that ours can be compared with it.
 *
 * <p>Run as {@code java -cp '<folder of Kafka's jars>/*' Judge.java}. A line of standard input is one configuration:
 * {@code topic}, {@code tiered-topic} (where brokers have remote storage) or {@code broker}, then keys and values in turn, each in Base64, with one space in between. A line of
 * standard output is the verdict: {@code accepted} and, for a topic, the text in which Kafka describes each value; or
 * {@code refused} and Kafka's reason; again in Base64.
 */
public final class Judge {
    public static void main(String[] arguments) throws java.io.IOException {
        Map<String, Object> brokers = broker(new Properties()).extractLogConfigMap();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", -1);
            Properties entries = new Properties();
            for (int i = 1; i + 1 < words.length; i += 2) entries.setProperty(decoded(words[i]), decoded(words[i + 1]));
            List<String> verdict = new ArrayList<>();
            try {
                if (!words[0].equals("broker")) {
                    LogConfig.validate(Map.of(), entries, brokers, words[0].equals("tiered-topic"), true);
                    verdict.add("accepted");
                    for (int i = 1; i + 1 < words.length; i += 2) {
                        ConfigDef.Type type = LogConfig.configType(decoded(words[i])).orElseThrow();
                        Object parsed = ConfigDef.parseType(decoded(words[i]), decoded(words[i + 1]), type);
                        verdict.add(encoded(ConfigDef.convertToString(parsed, type)));
                    }
                } else {
                    KafkaConfig config = broker(entries);
                    LogConfig.validateBrokerLogConfigValues(
                        config.extractLogConfigMap(), config.remoteLogManagerConfig().isRemoteStorageSystemEnabled());
                    verdict.add("accepted");
                }
            } catch (RuntimeException refusal) {
                verdict = List.of("refused", encoded(refusal.toString()));
            }
            System.out.println(String.join(" ", verdict));
        }
    }

    private static KafkaConfig broker(Properties entries) {
        Properties complete = new Properties();
        complete.setProperty("zookeeper.connect", "localhost:2181");
        complete.setProperty("broker.id", "0");
        complete.putAll(entries);
        return KafkaConfig.fromProps(complete, false);
    }

    private static String decoded(String word) {
        return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8);
    }

    private static String encoded(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
