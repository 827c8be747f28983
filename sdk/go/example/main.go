// Submits a program and follows it to its verdict: example BASE_URL EXERCISE RUNTIME FILE
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"guichet/sdk/guichet"
	"guichet/sdk/stream"
)

func main() {
	token := os.Getenv("GUICHET_TOKEN")
	if len(os.Args) != 5 || token == "" {
		fmt.Fprintln(os.Stderr, "usage: GUICHET_TOKEN=… example BASE_URL EXERCISE RUNTIME FILE")
		os.Exit(64)
	}
	if err := run(os.Args[1], token, os.Args[2], os.Args[3], os.Args[4]); err != nil {
		var problem *problemError
		if !errors.As(err, &problem) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%d %s: %s\n", problem.Status, problem.Code, problem.Title)
		for _, field := range problem.Errors {
			fmt.Printf("  %s %s: %s\n", field.In, field.Pointer, field.Message)
		}
		os.Exit(2)
	}
}

type problemError struct{ guichet.Problem }

func (problem *problemError) Error() string { return problem.Title }

func run(baseURL, token, exercise, runtime, file string) error {
	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sent := guichet.NewFileRequest(filepath.Base(file))
	sent.SetContent(string(source))
	request := guichet.NewSubmissionRequest(runtime, []guichet.FileRequest{*sent})
	request.SetExerciseId(exercise)

	settings := guichet.NewConfiguration()
	settings.Servers = guichet.ServerConfigurations{{URL: baseURL}}
	ctx := context.WithValue(context.Background(), guichet.ContextAccessToken, token)
	client := guichet.NewAPIClient(settings)
	submission, _, err := client.SubmissionsAPI.CreateSubmission(ctx).SubmissionRequest(*request).Execute()
	if err != nil {
		return explain(err)
	}
	fmt.Println("submitted", submission.Id)
	for followed, err := range stream.Follow(ctx, baseURL, token, submission.Id, "") {
		if err != nil {
			return explain(err)
		}
		tell(followed)
	}
	return nil
}

// explain finds the problem that an answer had.
func explain(err error) error {
	var refused *stream.Refused
	if errors.As(err, &refused) && refused.Problem != nil {
		return &problemError{*refused.Problem}
	}
	var answered *guichet.GenericOpenAPIError
	if errors.As(err, &answered) {
		if problem, is := answered.Model().(guichet.Problem); is {
			return &problemError{problem}
		}
	}
	return err
}

func tell(followed stream.Followed) {
	event := followed.Event
	text := ""
	switch {
	case event.SubmissionQueued != nil:
		text = fmt.Sprintf(": place %d", event.SubmissionQueued.Position)
	case event.QueuePosition != nil:
		text = fmt.Sprintf(": place %d", event.QueuePosition.Position)
	case event.SubmissionRequeued != nil:
		text = fmt.Sprintf(": place %d", event.SubmissionRequeued.Position)
	case event.SubmissionTestFinished != nil:
		test := event.SubmissionTestFinished.Test
		text = fmt.Sprintf(": %d of %d, %s, %s", test.Index, event.SubmissionTestFinished.Of, test.Name, test.Verdict)
	case event.SubmissionEnded != nil:
		if result, has := event.SubmissionEnded.Submission.GetResultOk(); has && result != nil {
			text = fmt.Sprintf(": %s, %d points", result.Verdict, result.GetScore())
		}
	case event.GetActualInstance() == nil:
		text = ": not known to this client"
	}
	fmt.Println(followed.Name + text)
}
