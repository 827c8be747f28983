package guichet.peer;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.handshake.ServerHandshake;

/** A front end that does what lines on its standard input say, and tells what happens; see README.md. */
public final class FrontEnd extends WebSocketClient {
    /** Its charset doesn't depend on where it runs. */
    private static final PrintStream EVENTS =
            new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

    private FrontEnd(URI uri) {
        super(uri);
    }

    private static synchronized void tell(String event) {
        EVENTS.println(event);
    }

    @Override
    public void onOpen(ServerHandshake handshake) {
        tell("open");
    }

    @Override
    public void onMessage(String text) {
        tell("text " + text);
    }

    @Override
    public void onMessage(ByteBuffer bytes) {
        tell("binary");
    }

    @Override
    public void onClose(int code, String reason, boolean remote) {
        tell("closed " + code);
    }

    @Override
    public void onError(Exception error) {
        tell("error " + error);
    }

    public static void main(String[] arguments) throws Exception {
        FrontEnd client = new FrontEnd(new URI(arguments[0]));
        // Pings so often, and gives up on a server that doesn't answer.
        client.setConnectionLostTimeout(4);
        client.connectBlocking();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", 2);
            switch (words[0]) {
                case "send":
                    client.send(words[1]);
                    break;
                case "close":
                    client.close(Integer.parseInt(words[1]), "bye");
                    break;
                default:
                    tell("error unknown command " + words[0]);
            }
        }
        System.exit(0);
    }
}
