package guichet.peer;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryonet.Connection;
import com.esotericsoftware.kryonet.FrameworkMessage;
import com.esotericsoftware.kryonet.JsonSerialization;
import com.esotericsoftware.kryonet.KryoSerialization;
import com.esotericsoftware.kryonet.Listener;
import com.esotericsoftware.kryonet.Serialization;
import com.esotericsoftware.kryonet.Server;
import com.esotericsoftware.minlog.Log;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.DatagramSocket;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;

/**
 * An original backend that a test steers by lines on standard input and watches by lines on standard output.
 *
 * <p>Commands and events are listed in README.md. The program ends with its standard input.
 */
public final class Backend {
  /** Room for everything that one command sends: the library fails when its buffer overflows. */
  private static final int WRITE_BUFFER = 16 << 20;

  /** What the library has by default. */
  private static final int OBJECT_BUFFER = 2048;

  /** Its charset doesn't depend on where the program runs. */
  private static final PrintStream EVENTS =
      new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

  /** A packet as a class of the application. */
  public static final class ExercisePacket {
    public String cmd;
    public String id;
  }

  private final String encoding;
  private Server server;

  /** How long new connections may be silent; 0: as long as the library has it. */
  private volatile int keepAliveMillis;

  private Backend(String encoding) {
    this.encoding = encoding;
  }

  public static void main(String[] arguments) throws IOException {
    Log.set(Log.LEVEL_NONE);
    Backend backend = new Backend(arguments[0]);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      backend.obey(line.split(" ", 3));
    }
    System.exit(0);
  }

  private void obey(String[] words) throws IOException {
    switch (words[0]) {
      case "start" -> start(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
      case "send" -> send(Integer.parseInt(words[1]), words[2]);
      case "map" -> sendToAll(map(words[1]));
      case "object" -> sendToAll(object(words[1]));
      case "number" -> sendToAll(42);
      case "keepalive" -> keepAliveMillis = Integer.parseInt(words[1]);
      case "ping" -> ping();
      case "close" -> close();
      case "stop" -> stop();
      default -> tell("unknown " + words[0]);
    }
  }

  private Serialization serialization() {
    return switch (encoding) {
      case "json" -> new JsonSerialization();
      case "kryo" -> new KryoSerialization();
      case "kryo-references" -> {
        Kryo kryo = new Kryo();
        kryo.setReferences(true);
        yield new KryoSerialization(kryo);
      }
      default -> throw new IllegalArgumentException(encoding);
    };
  }

  /** Ports of 0 are chosen; a UDP port of -1 is none. */
  private void start(int tcp, int udp) throws IOException {
    int tcpPort = tcp == 0 ? freeTcpPort() : tcp;
    int udpPort = udp == 0 ? freeUdpPort() : udp;
    server = new Server(WRITE_BUFFER, OBJECT_BUFFER, serialization());
    server.addListener(new Events());
    server.start();
    if (udpPort < 0) {
      server.bind(tcpPort);
    } else {
      server.bind(tcpPort, udpPort);
    }
    tell("started " + tcpPort + " " + udpPort);
  }

  private static int freeTcpPort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static int freeUdpPort() throws IOException {
    try (DatagramSocket socket = new DatagramSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private void send(int count, String text) {
    for (int number = 0; number < count; number++) {
      sendToAll(text.replace("#", Integer.toString(number)));
    }
    tell("sent " + count);
  }

  private void sendToAll(Object packet) {
    server.sendToAllTCP(packet);
  }

  private static HashMap<String, String> map(String id) {
    HashMap<String, String> packet = new HashMap<>();
    packet.put("cmd", "EXERCISE");
    packet.put("id", id);
    return packet;
  }

  private static ExercisePacket object(String id) {
    ExercisePacket packet = new ExercisePacket();
    packet.cmd = "EXERCISE";
    packet.id = id;
    return packet;
  }

  private void ping() {
    for (Connection connection : server.getConnections()) {
      connection.updateReturnTripTime();
    }
  }

  private void close() {
    for (Connection connection : server.getConnections()) {
      connection.close();
    }
    tell("closed");
  }

  private void stop() {
    server.stop();
    tell("stopped");
  }

  private static synchronized void tell(String event) {
    EVENTS.println(event);
  }

  /** Tells what happens on connections. */
  private final class Events extends Listener {
    @Override
    public void connected(Connection connection) {
      if (keepAliveMillis > 0) {
        connection.setKeepAliveTCP(keepAliveMillis);
      }
      tell("connected " + connection.getID());
    }

    @Override
    public void disconnected(Connection connection) {
      tell("disconnected " + connection.getID());
    }

    @Override
    public void received(Connection connection, Object object) {
      String id = connection.getID() + " ";
      if (object instanceof FrameworkMessage.KeepAlive) {
        tell("keepalive " + connection.getID());
      } else if (object instanceof FrameworkMessage.Ping ping) {
        tell("ping " + id + (ping.isReply ? "answered" : "asked"));
      } else {
        tell("received " + id + object.getClass().getName() + " " + object);
      }
    }
  }
}
