package guichet.sdk;

import com.fasterxml.jackson.core.JsonProcessingException;
import guichet.client.ApiClient;
import guichet.client.model.Problem;
import java.io.IOException;

/** The service refuses, and asking again would not help. */
public final class Refused extends IOException {
    private final int status;
    private final transient Problem problem;

    private Refused(int status, Problem problem) {
        super(problem == null ? "status " + status : status + " " + problem.getCode() + ": " + problem.getTitle());
        this.status = status;
        this.problem = problem;
    }

    /** Reads what was answered: a problem, or what something between here and the service says. */
    public static Refused of(int status, String body) {
        try {
            return new Refused(status, ApiClient.createDefaultObjectMapper().readValue(body, Problem.class));
        } catch (JsonProcessingException | IllegalArgumentException noProblem) {
            return new Refused(status, null);
        }
    }

    public int status() {
        return status;
    }

    /** What is wrong; null if something else than the service answered. */
    public Problem problem() {
        return problem;
    }
}
