// Package stream follows a submission: it comes back where a connection breaks, and ends when the submission does.
package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"guichet/sdk/guichet"
)

const (
	// The service writes at least every 15 s: after three times that the connection is dead.
	silence = 45 * time.Second
	// Attempts in a row that may fail; with the pauses between them, about four minutes.
	attempts     = 12
	longestPause = 30 * time.Second
	// A result holds what each test wrote.
	longestLine = 256 << 20
)

// Followed is an event as it was sent. No member of Event is set if a later version of the service says it.
type Followed struct {
	Name  string
	ID    string
	Data  json.RawMessage
	Event guichet.StreamEvent
}

// Refused says that asking again would not help.
type Refused struct {
	Status  int
	Problem *guichet.Problem
}

func (refused *Refused) Error() string {
	if refused.Problem == nil {
		return fmt.Sprintf("status %d", refused.Status)
	}
	return fmt.Sprintf("%d %s: %s", refused.Status, refused.Problem.Code, refused.Problem.Title)
}

// Follow gives the events of a submission from its first, or behind lastEventID, to the end of its last round. An error
// is the last that it gives.
func Follow(ctx context.Context, baseURL, token, id, lastEventID string) iter.Seq2[Followed, error] {
	return func(yield func(Followed, error) bool) {
		reader := reader{
			address: baseURL + "/v1/submissions/" + url.PathEscape(id) + "/events",
			token:   token, last: lastEventID, pause: 2 * time.Second, yield: yield,
		}
		for {
			done, err := reader.attempt(ctx)
			var refused *Refused
			if !done && reader.failures >= attempts {
				done, err = true, fmt.Errorf("no stream after %d attempts: %w", attempts, err)
			}
			if done || ctx.Err() != nil || errors.As(err, &refused) {
				if err != nil && !reader.left {
					yield(Followed{}, err)
				}
				return
			}
			longer := min(reader.pause<<reader.failures, longestPause)
			reader.failures++
			// Another moment for each reader, so that they do not all come back at once.
			longer = longer/2 + rand.N(longer/2+1)
			select {
			case <-ctx.Done():
			case <-time.After(max(reader.wait, longer)):
			}
		}
	}
}

type reader struct {
	address, token, last string
	pause, wait          time.Duration
	failures             int
	ended, left          bool
	yield                func(Followed, error) bool
}

// attempt opens the stream and reads it. It is done when there is nothing more to come, or its reader has left; else the
// connection broke, and the next attempt goes on where this one came to.
func (reader *reader) attempt(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(silence, cancel)
	defer timer.Stop()
	reader.wait = 0
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, reader.address, nil)
	if err != nil {
		return true, err
	}
	request.Header.Set("Authorization", "Bearer "+reader.token)
	request.Header.Set("Accept", "text/event-stream")
	if reader.last != "" {
		request.Header.Set("Last-Event-ID", reader.last)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNoContent {
		return true, nil
	}
	if answer.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		reader.wait = time.Duration(seconds) * time.Second
		return false, refusal(answer)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, longestLine)
	block := map[string]string{}
	for lines.Scan() {
		timer.Reset(silence)
		if line := lines.Text(); line != "" {
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			if before, more := block[field]; more && field == "data" {
				value = before + "\n" + value
			}
			block[field] = value
			continue
		}
		if done, err := reader.tell(block); done {
			return true, err
		}
		block = map[string]string{}
	}
	return reader.ended && lines.Err() == nil, lines.Err()
}

func (reader *reader) tell(block map[string]string) (done bool, err error) {
	if millis, err := strconv.Atoi(block["retry"]); err == nil {
		reader.pause = time.Duration(millis) * time.Millisecond
	}
	data, isEvent := block["data"]
	if !isEvent {
		return false, nil
	}
	reader.failures = 0
	name := block["event"]
	if id, hasID := block["id"]; hasID {
		reader.last = id
	} else if name == "stream.reset" {
		reader.last = ""
	}
	switch name {
	case "queue.position":
	case "submission.finished", "submission.failed", "submission.cancelled":
		reader.ended = true
	default:
		reader.ended = false
	}
	followed := Followed{Name: name, ID: block["id"], Data: json.RawMessage(data)}
	if err := json.Unmarshal(followed.Data, &followed.Event); err != nil {
		return true, err
	}
	reader.left = !reader.yield(followed, nil)
	return reader.left, nil
}

// refusal is what asking again does not mend.
func refusal(answer *http.Response) error {
	status := answer.StatusCode
	if status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500 {
		return nil
	}
	refused := &Refused{Status: status}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") {
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		refused.Problem = &guichet.Problem{}
		if err := json.Unmarshal(text, refused.Problem); err != nil {
			return err
		}
	}
	return refused
}
