package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dilys-id/dilys/cmd/dilys-dev/internal/workbench"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/courier/notifystandin"
)

// newNotify is the stand-in for GOV.UK Notify that knows the key in that file.
func newNotify(keyFile string, now func() time.Time) (*notifystandin.StandIn, error) {
	content, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	key := trimmed(content)
	const id = 36 // of a UUID: the key is a name and two of them, joined by hyphens
	if len(key) < 2*id+2 {
		return nil, fmt.Errorf("%s: wanted a name and two ids, got something shorter", keyFile)
	}
	service, secret := len(key)-2*id-1, len(key)-id
	return notifystandin.New(notifystandin.Options{
		Now: now, Name: key[:service-1], Service: key[service : service+id], Secret: identity.Secret(key[secret:]), Templates: []notifystandin.Template{
			{ID: emailTemplate, Type: notifystandin.Email, Subject: "((subject))", Body: "((body))"},
			{ID: smsTemplate, Type: notifystandin.SMS, Body: "((body))"},
		},
	})
}

// messages puts what the stand-in took into the words of the workbench.
func messages(s *notifystandin.StandIn) []workbench.Message {
	var all []workbench.Message
	for _, m := range s.Messages() {
		channel := string(identity.ByEmail)
		if m.Type == notifystandin.SMS {
			channel = string(identity.BySMS)
		}
		all = append(all, workbench.Message{To: m.To, Channel: channel, Language: languageOf(m.Body), Subject: m.Subject, Text: m.Body, At: m.At})
	}
	return all
}

// languageOf tells the language of a text of ours: "cy en" for both, before a
// patient's own is known.
func languageOf(text string) string {
	var all []string
	for _, l := range []struct{ lang, word, short string }{{"cy", "eich ", "na rannwch"}, {"en", "your ", "never share"}} {
		if text := strings.ToLower(text); strings.Contains(text, l.word) || strings.Contains(text, l.short) {
			all = append(all, l.lang)
		}
	}
	return strings.Join(all, " ")
}
