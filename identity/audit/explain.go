package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Explain tells an event in plain words, several lines, without any value of a
// person. words puts a cause into a sentence; a cause that it does not know is
// shown as it stands.
func Explain(e Event, words func(cause string) (string, bool)) string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", label, text)
		}
	}
	line("when", e.At.UTC().Format(time.DateTime)+" UTC")
	line("what", string(e.Kind)+", "+string(e.Result))
	line("why", explainCause(e.Cause, words))
	line("who", e.Actor)
	line("account", e.Account)
	line("session", e.Session)
	line("provider", e.Provider)
	line("service", e.Portal)
	line("fields", strings.Join(e.Fields, ", "))
	line("reason", strings.Map(printable, e.Reason))
	line("reference", e.Reference)
	return b.String()
}

// printable keeps what an operator typed from forging a line of its own.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

func explainCause(cause string, words func(string) (string, bool)) string {
	if sentence, known := words(cause); known {
		return sentence + " (" + cause + ")"
	}
	return cause
}

// Head writes the batch as the log and `audit verify` show it: number and tag.
func (b Batch) Head() string { return fmt.Sprintf("%d:%x", b.Number, b.Tag) }

// ParseHead reads what [Batch.Head] wrote; nothing is the zero Batch.
func ParseHead(s string) (Batch, error) {
	if s == "" {
		return Batch{}, nil
	}
	number, tag, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	raw, hexErr := hex.DecodeString(tag)
	if err != nil || hexErr != nil || n < 1 || len(raw) == 0 {
		return Batch{}, fmt.Errorf("head: wanted BATCH:TAG as the log shows it, got %.80q", s)
	}
	return Batch{Number: n, Tag: raw}, nil
}
