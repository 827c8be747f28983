package guichet.sdk;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import guichet.client.ApiClient;
import guichet.client.JSON;
import guichet.client.model.StreamEvent;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Follows a submission: comes back where a connection breaks, and ends when the submission does. */
public final class Stream {
    /** The service writes at least every 15 s: after three times that the connection is dead. */
    private static final long SILENCE_S = 45;
    /** Attempts in a row that may fail; with the pauses between them, about four minutes. */
    private static final int ATTEMPTS = 12;
    private static final long LONGEST_PAUSE_MS = 30_000;
    private static final Set<String> ENDINGS =
        Set.of("submission.finished", "submission.failed", "submission.cancelled");

    static {
        // Tells the client's table of types of those of events.
        new StreamEvent();
    }

    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private final ObjectMapper mapper = ApiClient.createDefaultObjectMapper();
    private final URI address;
    private final String token;
    private final Consumer<Followed> reader;
    private String last;
    private long pauseMs = 2_000;
    private long waitMs;
    private int failures;
    private boolean ended;

    private Stream(URI address, String token, String lastEventId, Consumer<Followed> reader) {
        this.address = address;
        this.token = token;
        this.last = lastEventId;
        this.reader = reader;
    }

    /**
     * Gives {@code reader} the events of a submission from its first, or behind {@code lastEventId} if that is not null, to
     * the end of its last round.
     *
     * @throws Refused if asking again would not help
     */
    public static void follow(String baseUrl, String token, UUID id, String lastEventId, Consumer<Followed> reader)
            throws IOException, InterruptedException {
        URI address = URI.create(baseUrl + "/v1/submissions/" + id + "/events");
        new Stream(address, token, lastEventId, reader).run();
    }

    private void run() throws IOException, InterruptedException {
        ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(work, "silence");
            thread.setDaemon(true);
            return thread;
        });
        try {
            while (!attempt(clock)) {
                long longer = Math.min(pauseMs << failures, LONGEST_PAUSE_MS);
                failures++;
                // Another moment for each reader, so that they do not all come back at once.
                Thread.sleep(Math.max(waitMs, ThreadLocalRandom.current().nextLong(longer / 2, longer + 1)));
            }
        } finally {
            clock.shutdownNow();
        }
    }

    /** Whether there is nothing more to come; else the next attempt goes on where this one came to. */
    private boolean attempt(ScheduledExecutorService clock) throws IOException, InterruptedException {
        waitMs = 0;
        HttpRequest.Builder request = HttpRequest.newBuilder(address)
            .timeout(Duration.ofSeconds(SILENCE_S))
            .header("Authorization", "Bearer " + token)
            .header("Accept", "text/event-stream");
        if (last != null) {
            request.header("Last-Event-ID", last);
        }
        try {
            HttpResponse<InputStream> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            try (InputStream body = answer.body()) {
                return switch (answer.statusCode()) {
                    case 204 -> true;
                    case 200 -> read(body, clock);
                    default -> {
                        refuse(answer, body);
                        yield false;
                    }
                };
            }
        } catch (Refused | Unreadable refused) {
            throw refused;
        } catch (IOException broken) {
            if (failures >= ATTEMPTS) {
                throw new IOException("no stream after " + ATTEMPTS + " attempts", broken);
            }
            return false;
        }
    }

    private void refuse(HttpResponse<InputStream> answer, InputStream body) throws IOException {
        int status = answer.statusCode();
        if (status != 408 && status != 429 && status < 500) {
            throw Refused.of(status, new String(body.readAllBytes(), StandardCharsets.UTF_8));
        }
        if (failures >= ATTEMPTS) {
            throw new IOException("status " + status + " after " + ATTEMPTS + " attempts");
        }
        waitMs = 1000 * answer.headers().firstValue("Retry-After").map(Stream::number).orElse(0L);
    }

    private boolean read(InputStream body, ScheduledExecutorService clock) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
        Map<String, String> block = new HashMap<>();
        for (;;) {
            ScheduledFuture<?> silence = clock.schedule(() -> close(body), SILENCE_S, TimeUnit.SECONDS);
            String line;
            try {
                line = lines.readLine();
            } finally {
                silence.cancel(false);
            }
            if (line == null) {
                return ended;
            }
            if (line.isEmpty()) {
                tell(block);
                block.clear();
                continue;
            }
            int at = line.indexOf(':');
            String value = at < 0 ? "" : line.substring(at + 1);
            value = value.startsWith(" ") ? value.substring(1) : value;
            String field = at < 0 ? line : line.substring(0, at);
            block.merge(field, value, (before, more) -> field.equals("data") ? before + "\n" + more : more);
        }
    }

    private static void close(InputStream body) {
        try {
            body.close();
        } catch (IOException closed) {
            // Reading it ends all the same.
        }
    }

    private void tell(Map<String, String> block) throws IOException {
        long retry = number(block.get("retry"));
        pauseMs = retry > 0 ? retry : pauseMs;
        String data = block.get("data");
        if (data == null) {
            return;
        }
        failures = 0;
        String name = block.getOrDefault("event", "message");
        String id = block.get("id");
        if (id != null || name.equals("stream.reset")) {
            last = id;
        }
        if (!name.equals("queue.position")) {
            ended = ENDINGS.contains(name);
        }
        Followed followed;
        try {
            JsonNode tree = mapper.readTree(data);
            // Asked here since the union's own reader refuses what it does not know.
            Class<?> model = JSON.getClassForElement(tree, StreamEvent.class);
            followed = new Followed(name, id, tree, model == null ? null : mapper.treeToValue(tree, model));
        } catch (IOException unreadable) {
            throw new Unreadable(name, unreadable);
        }
        reader.accept(followed);
    }

    private static long number(String text) {
        return text != null && text.matches("\\d{1,9}") ? Long.parseLong(text) : 0;
    }

    /** An event whose data is not as the document says. */
    private static final class Unreadable extends IOException {
        Unreadable(String name, IOException cause) {
            super("cannot read an event " + name, cause);
        }
    }
}
