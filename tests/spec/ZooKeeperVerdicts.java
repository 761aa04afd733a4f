// Asks ZooKeeper itself whether it takes entries of zoo.cfg: one entry a line, one verdict a line.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

public class ZooKeeperVerdicts {
    public static void main(String[] arguments) throws Exception {
        Path data = Path.of(arguments[0]);
        Files.writeString(data.resolve("myid"), "1");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Properties entries = new Properties();
            entries.setProperty("dataDir", data.toString());
            entries.setProperty("clientPort", "2181");
            entries.setProperty("tickTime", "500");
            entries.setProperty("initLimit", "60");
            entries.setProperty("syncLimit", "4");
            for (int server = 1; server <= 3; server++) {
                entries.setProperty("server." + server, "127.0.0.1:" + (2888 + server) + ":" + (3888 + server));
            }
            for (String entry : line.split(" ")) {
                entries.setProperty(entry.split("=")[0], entry.split("=")[1]);
            }
            try {
                new QuorumPeerConfig().parseProperties(entries);
                System.out.println("accepted");
            } catch (Exception refused) {
                System.out.println("refused");
            }
        }
    }
}
