package guichet.sdk;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * An event as it was sent.
 *
 * @param id its id; null if it has none
 * @param event its model, as {@code SubmissionQueued}; null if a later version of the service says it
 */
public record Followed(String name, String id, JsonNode data, Object event) {}
