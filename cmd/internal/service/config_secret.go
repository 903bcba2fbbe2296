package service

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// Bounds of the files that a configuration names.
const (
	leastSecret = 32 // characters
	maxSecret   = 4 << 10
	maxKey      = 64 << 10
	maxImage    = 256 << 10 // as the pages take
)

// secretFile reads a secret from the file named here.
func (v value) secretFile() identity.Secret { return v.secretOf(judgeSecret, "") }

// secretOf reads a secret as judge wants it. Only keys that share it, by the same
// word, may bring the same one.
func (v value) secretOf(judge func([]byte) (secret identity.Secret, wanted, got string), shared string) identity.Secret {
	content, ok := v.file(maxSecret, unshared)
	if !ok {
		return ""
	}
	secret, wanted, got := judge(content)
	if wanted != "" {
		v.refuse(wanted, got)
		return ""
	}
	for _, known := range v.secrets {
		if known.secret.Equal(secret) && (shared == "" || known.shared != shared) {
			v.refuse("a secret of its own", "that of "+known.key)
			return ""
		}
	}
	v.secrets = append(v.secrets, knownSecret{v.key, secret, shared})
	return secret
}

// keyFile reads the private key in the file named here.
func (v value) keyFile() *token.AssertionKey {
	content, ok := v.file(maxKey, unshared)
	if !ok {
		return nil
	}
	key, err := token.ParseSigningKey(content)
	if err != nil {
		wanted, got, _ := strings.Cut(strings.TrimPrefix(err.Error(), "client key: wanted "), ", got ")
		v.refuse(wanted, cmp.Or(got, "something else"))
		return nil
	}
	return &key
}

// keySetFile reads the public keys in the file named here.
func (v value) keySetFile() []byte {
	content, ok := v.file(token.MaxKeySetBytes, nil)
	if !ok {
		return nil
	}
	if _, err := fixedKeys(content, func() time.Time { return v.now }).Prime(context.Background()); err != nil {
		wanted, got, _ := strings.Cut(strings.TrimPrefix(err.Error(), "key set: wanted "), ", got ")
		v.refuse("a key set (JWKS): "+wanted, cmp.Or(got, "something else"))
		return nil
	}
	return content
}

// imageFile reads the image in the file named here.
func (v value) imageFile() []byte {
	content, ok := v.file(maxImage, nil)
	if ok && !isImage(content) {
		v.refuse("a PNG, JPEG, WebP or SVG image", "something else")
		return nil
	}
	return content
}

// file reads the file named here. Its name is in no fault: a secret may have been
// put where its file should be named.
func (v value) file(limit int64, judge func(fs.FileMode) string) ([]byte, bool) {
	wanted := fmt.Sprintf("a readable file of at most %d KiB", limit>>10)
	if judge != nil {
		wanted += " that not everybody may read (chmod o=)"
	}
	if !v.is(scalarKind, "a file") {
		return nil, false
	}
	path := v.absolute(v.node.text)
	if v.node.text == "" || strings.ContainsFunc(v.node.text, unicode.IsControl) {
		v.refuse(wanted, "a name that can't be opened")
		return nil, false
	}
	content, got := readWhole(path, limit, judge)
	if got != "" {
		v.refuse(wanted, got)
		return nil, false
	}
	v.settle(path + ", set")
	return content, true
}

// unshared refuses a file that every user of this machine may read or change. A
// group may: orchestrators mount secrets for a group.
func unshared(mode fs.FileMode) string {
	if mode.Perm()&0o007 != 0 {
		return fmt.Sprintf("a world-readable one (mode %04o)", mode.Perm())
	}
	return ""
}

// judgeSecret returns the secret in a file, or what was wanted and got instead,
// neither of which holds any of it. A line end is the editor's.
func judgeSecret(content []byte) (secret identity.Secret, wanted, got string) {
	text := strings.TrimRight(string(content), "\r\n")
	strange := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case strings.ContainsFunc(text, strange):
		return "", "a secret of one line, in ASCII without spaces", "something else"
	case len(text) < leastSecret:
		return "", fmt.Sprintf("a secret of %d characters or more", leastSecret), fmt.Sprintf("%d characters", len(text))
	case variety(text) < leastVariety:
		return "", "a random secret", "the same few characters again and again"
	case isExample(text):
		return "", "a random secret", "one out of an example"
	}
	return identity.Secret(text), "", ""
}

// leastVariety is the number of different characters that any random secret of
// 32 characters has, in hex too (fewer: one in twenty million).
const leastVariety = 8

func variety(text string) int {
	seen := map[rune]bool{}
	for _, r := range text {
		seen[r] = true
	}
	return len(seen)
}

// exampleWords stand in the secrets of examples, of ours and of everybody's. None
// comes about by chance in a random secret.
var exampleWords = []string{
	"changeme", "changethis", "replaceme", "replacethis", "placeholder", "example", "yoursecret", "clientsecret",
	"mysecret", "topsecret", "supersecret", "notasecret", "notsosecret", "insertsecret", "putyour", "password",
	"dilys", "mewngofnodi", "0123456789", "1234567890", "abcdefghij", "qwertyuiop", "loremipsum",
}

func isExample(text string) bool {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. ", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
	for _, word := range exampleWords {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// isImage reports whether browsers take the content for an image.
func isImage(content []byte) bool {
	for _, magic := range []string{"\x89PNG\r\n\x1a\n", "\xff\xd8\xff"} {
		if bytes.HasPrefix(content, []byte(magic)) {
			return true
		}
	}
	if len(content) > 12 && bytes.HasPrefix(content, []byte("RIFF")) && string(content[8:12]) == "WEBP" {
		return true
	}
	head := bytes.TrimSpace(content[:min(len(content), 1024)])
	return bytes.HasPrefix(head, []byte("<")) && bytes.Contains(head, []byte("<svg"))
}
