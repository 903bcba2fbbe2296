package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Words put what an event names into sentences of an operator's language. Each
// reports false for what it does not know, which is then shown as it stands.
type Words struct {
	Kind  func(k Kind) (string, bool)
	Step  func(step string) (string, bool)
	Cause func(cause string) (string, bool)
}

// Explain tells an event in plain words, a dozen lines at the most, without any value
// of a person: at which step it was, by which rule, and which class of field failed.
func Explain(e Event, w Words) string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", label, text)
		}
	}
	line("when", e.At.UTC().Format(time.DateTime)+" UTC")
	line("what", named(string(e.Kind), known(w.Kind, e.Kind))+", "+string(e.Result))
	line("step", named(e.Step(), known(w.Step, e.Step())))
	line("why", named(e.Cause, known(w.Cause, e.Cause)))
	line("fields", strings.Join(e.Classes(), ", "))
	line("who", e.Actor)
	line("account", e.Account)
	line("session", e.Session)
	line("provider", e.Provider)
	line("service", e.Portal)
	line("reason", strings.Map(printable, e.Reason))
	line("reference", e.Reference)
	return b.String()
}

// known returns the sentence of a word, or nothing.
func known[T any](words func(T) (string, bool), word T) string {
	if words == nil {
		return ""
	}
	sentence, found := words(word)
	if !found {
		return ""
	}
	return sentence
}

// named puts a word behind its sentence, where it has one: scripts look for the word.
func named(word, sentence string) string {
	if sentence == "" || word == "" {
		return word
	}
	return sentence + " (" + word + ")"
}

// printable keeps what an operator typed from forging a line of its own.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
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
