package hashing

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity/password"
)

func TestFramesRefuseNonsense(t *testing.T) {
	for name, frame := range map[string]string{
		"half a length":   "\x00",
		"nothing in it":   "\x00\x00",
		"a short head":    "\x00\x01x",
		"too long":        "\xff\xff" + strings.Repeat("x", 1<<16),
		"one too long":    "\x00\xed" + strings.Repeat("x", 237),
		"cut":             "\x00\x40abc",
		"a length before": "\x00\x23" + strings.Repeat("x", 35),
	} {
		if _, err := readJob(strings.NewReader(frame)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: wanted an error, got %v", name, err)
		}
	}
	if err := (job{phc: password.PHC(strings.Repeat("x", longestPHC+1))}).write(io.Discard); err == nil {
		t.Error("wanted a hash that is too long refused")
	}
}

func FuzzJob(f *testing.F) {
	var seed bytes.Buffer
	_ = job{number: 7, peppered: password.Peppered{1}, phc: "$argon2id$"}.write(&seed)
	f.Add(seed.Bytes())
	f.Add([]byte("\x00\x24" + strings.Repeat("x", 36)))
	f.Add([]byte("\xff\xff\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		j, err := readJob(bytes.NewReader(frame))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := j.write(&again); err != nil || !bytes.HasPrefix(frame, again.Bytes()) {
			t.Errorf("wanted the frame that was read, got another (%v)", err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	var seed bytes.Buffer
	_ = answer{7, made, "$argon2id$"}.write(&seed)
	f.Add(seed.Bytes())
	f.Add([]byte("\x00\x05\x00\x00\x00\x01\x02"))
	f.Add([]byte("\x00\x05\x00\x00\x00\x01\xff"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, err := readAnswer(bytes.NewReader(frame))
		if err == nil && a.answers(job{number: 1}) && a.phc == "" {
			t.Error("wanted no hash made without a hash")
		}
		if err == nil && a.answers(job{number: 1, phc: "$"}) && (a.verdict < right || a.verdict > foreign) {
			t.Error("wanted a verdict")
		}
	})
}
