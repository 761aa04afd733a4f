import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Java's part of clients.py: one producer for each line of a file, all of them writing to the same topic at a steady rate.
 *
 * Arguments: bootstrap servers, topic, partitions, messages per second and partition, the file. A line of the file is
 * key=value pairs, parted by tabs. Begins to write at the first line on its standard input, and ends with it. Says "requests
 * LINE COUNT" for each producer when it begins (what it has sent since it was idle), and then a line for each message:
 * "LINE PARTITION NUMBER SENT ACKNOWLEDGED", the times in milliseconds since 1970, the last one -1 where it was given up.
 */
public final class Producers {
    private static final long IDLE_MILLISECONDS = 10_000;
    private static volatile boolean ended = false;

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        int partitions = Integer.parseInt(arguments[2]);
        long interval = 1000 / Integer.parseInt(arguments[3]);
        List<KafkaProducer<String, String>> producers = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(arguments[4]))) {
            Properties properties = new Properties();
            properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
            properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class);
            properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class);
            properties.put(ProducerConfig.LINGER_MS_CONFIG, "5");
            for (String pair : line.split("\t")) {
                if (!pair.isEmpty()) {
                    properties.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
                }
            }
            producers.add(new KafkaProducer<>(properties));
        }
        for (KafkaProducer<String, String> producer : producers) {
            for (int partition = 0; partition < partitions; partition++) {
                producer.send(new ProducerRecord<>(topic, partition, null, "warm"));
            }
            producer.flush();
        }
        double[] before = producers.stream().mapToDouble(Producers::requests).toArray();
        Thread.sleep(IDLE_MILLISECONDS);
        for (int each = 0; each < before.length; each++) {
            say("requests " + each + " " + Math.round(requests(producers.get(each)) - before[each]));
        }
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        input.readLine();
        CountDownLatch running = new CountDownLatch(producers.size());
        for (int each = 0; each < producers.size(); each++) {
            int index = each;
            new Thread(() -> {
                try {
                    produce(producers.get(index), index, topic, partitions, interval);
                } finally {
                    running.countDown();
                }
            }).start();
        }
        input.readLine();
        ended = true;
        running.await();
    }

    private static void produce(
            KafkaProducer<String, String> producer, int index, String topic, int partitions, long interval) {
        long begin = System.currentTimeMillis();
        for (int number = 0; !ended; number++) {
            for (int each = 0; each < partitions; each++) {
                int partition = each;
                int told = number;
                long sent = System.currentTimeMillis();
                String value = "java-" + index + " " + partition + " " + number;
                producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> say(
                        index + " " + partition + " " + told + " " + sent + " "
                                + (error == null ? System.currentTimeMillis() : -1)));
            }
            try {
                Thread.sleep(Math.max(0, begin + (number + 1) * interval - System.currentTimeMillis()));
            } catch (InterruptedException interrupted) {
                return;
            }
        }
        producer.close(java.time.Duration.ofSeconds(60));
    }

    private static double requests(KafkaProducer<String, String> producer) {
        return producer.metrics().entrySet().stream()
                .filter(each -> each.getKey().name().equals("request-total") && each.getKey().group().equals("producer-metrics"))
                .mapToDouble(each -> (Double) each.getValue().metricValue())
                .sum();
    }

    private static synchronized void say(String line) {
        System.out.println(line);
    }
}
