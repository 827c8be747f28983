// `guichet runtime check` compiles and runs this: the image holds what every program is promised.
package main

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"
)

var missing = 0

func check(holds bool, what string) {
	if !holds {
		fmt.Println("missing:", what)
		missing = 1
	}
}

func writes(path string) bool {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		file.Close()
	}
	return err == nil
}

func main() {
	check(strings.HasSuffix(os.Getenv("LANG"), "UTF-8"), "the locale of LANG")
	paris, err := time.LoadLocation("Europe/Paris")
	check(err == nil && time.Unix(1_700_000_000, 0).In(paris).Hour() == 23, "the time zone Europe/Paris")
	me, err := user.Current()
	check(err == nil && me.Username == os.Getenv("USER") && me.Username == os.Getenv("LOGNAME"), "a name for the uid")
	check(err == nil && me.HomeDir == os.Getenv("HOME"), "a home for the uid")
	check(writes("/dev/stderr"), "a stream that can be opened by name")
	check(writes("made"), "a work folder that can be written to")
	done := make(chan bool)
	go func() { done <- true }()
	check(<-done, "goroutines")
	os.Exit(missing)
}
