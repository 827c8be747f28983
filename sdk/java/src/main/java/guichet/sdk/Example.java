package guichet.sdk;

import guichet.client.ApiClient;
import guichet.client.ApiException;
import guichet.client.api.SubmissionsApi;
import guichet.client.model.FileRequest;
import guichet.client.model.Problem;
import guichet.client.model.ProblemField;
import guichet.client.model.QueuePosition;
import guichet.client.model.Submission;
import guichet.client.model.SubmissionEnded;
import guichet.client.model.SubmissionQueued;
import guichet.client.model.SubmissionRequest;
import guichet.client.model.SubmissionRequeued;
import guichet.client.model.SubmissionTestFinished;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Submits a program and follows it to its verdict: {@code Example BASE_URL EXERCISE RUNTIME FILE}. */
public final class Example {
    private Example() {}

    public static void main(String[] arguments) throws Exception {
        String token = System.getenv("GUICHET_TOKEN");
        if (arguments.length != 4 || token == null) {
            System.err.println("usage: GUICHET_TOKEN=… java guichet.sdk.Example BASE_URL EXERCISE RUNTIME FILE");
            System.exit(64);
        }
        try {
            run(arguments[0], token, arguments[1], arguments[2], Path.of(arguments[3]));
        } catch (Refused refused) {
            if (refused.problem() == null) {
                throw refused;
            }
            tellProblem(refused.problem());
            System.exit(2);
        }
    }

    private static void run(String baseUrl, String token, String exercise, String runtime, Path file)
            throws IOException, InterruptedException {
        ApiClient client = new ApiClient();
        client.updateBaseUri(baseUrl);
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        SubmissionRequest request = new SubmissionRequest()
            .exerciseId(exercise)
            .runtime(runtime)
            .addFilesItem(new FileRequest().path(file.getFileName().toString()).content(Files.readString(file)));
        Submission submission;
        try {
            submission = new SubmissionsApi(client).createSubmission(request, null, null);
        } catch (ApiException answered) {
            if (answered.getResponseBody() == null) {
                throw new IOException(answered);
            }
            throw Refused.of(answered.getCode(), answered.getResponseBody());
        }
        System.out.println("submitted " + submission.getId());
        Stream.follow(baseUrl, token, submission.getId(), null, Example::tell);
    }

    private static void tell(Followed followed) {
        String text = "";
        if (followed.event() == null) {
            text = ": not known to this client";
        } else if (followed.event() instanceof SubmissionQueued queued) {
            text = ": place " + queued.getPosition();
        } else if (followed.event() instanceof QueuePosition place) {
            text = ": place " + place.getPosition();
        } else if (followed.event() instanceof SubmissionRequeued requeued) {
            text = ": place " + requeued.getPosition();
        } else if (followed.event() instanceof SubmissionTestFinished finished) {
            var test = finished.getTest();
            text = ": " + test.getIndex() + " of " + finished.getOf() + ", " + test.getName() + ", " + test.getVerdict();
        } else if (followed.event() instanceof SubmissionEnded ended && ended.getSubmission().getResult() != null) {
            var result = ended.getSubmission().getResult();
            text = ": " + result.getVerdict() + ", " + result.getScore() + " points";
        }
        System.out.println(followed.name() + text);
    }

    private static void tellProblem(Problem problem) {
        System.out.println(problem.getStatus() + " " + problem.getCode() + ": " + problem.getTitle());
        for (ProblemField field : problem.getErrors()) {
            System.out.println("  " + field.getIn() + " " + field.getPointer() + ": " + field.getMessage());
        }
    }
}
