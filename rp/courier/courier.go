package courier

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
)

// Letter is a message in its words, on its way to a vendor.
type Letter struct {
	Reference string // the message's ID: nothing personal
	To        identity.Contact
	Subject   string // of an email; holds no secret
	Body      identity.Secret
}

// Sender is one vendor for one channel. Its errors are those of [outbox.Courier],
// in words of ours.
type Sender interface {
	// Send hands the letter over.
	Send(ctx context.Context, l Letter) error
	// Sent reports whether the vendor took the letter of that reference before.
	Sent(ctx context.Context, reference string) (bool, error)
}

// Options are what the words need to know, and who carries them.
type Options struct {
	Organisation map[string]string // its name by language; English stands in for a missing one
	Languages    []string          // that patients are offered; none: English and Welsh
	PublicURL    string            // the origin of every link
	Help         string            // a phone number; empty: the address of our help page
	Email, SMS   Sender            // nil: the channel is off
}

// Courier is [outbox.Courier].
type Courier struct {
	words        words
	organisation map[string]string
	names        map[string][]string // as a text carries them, by language of the text
	languages    []string            // of a message to someone whose language is not known, Welsh first
	origin, host string
	help         string
	senders      map[identity.Channel]Sender
}

var _ outbox.Courier = (*Courier)(nil)

// New returns a courier, or what in its options could not stand in a message. It
// words every text once with the longest code there is, so that none is found too
// long when a patient waits for it.
func New(o Options) (*Courier, error) {
	w, err := readWords(textFiles)
	if err != nil {
		return nil, err
	}
	c := &Courier{words: w, senders: map[identity.Channel]Sender{}, help: o.Help}
	for by, s := range map[identity.Channel]Sender{identity.ByEmail: o.Email, identity.BySMS: o.SMS} {
		if s != nil {
			c.senders[by] = s
		}
	}
	if err := errors.Join(c.setOrigin(o.PublicURL), c.setLanguages(o.Languages), c.setNames(o.Organisation)); err != nil {
		return nil, err
	}
	if c.help == "" {
		c.help = c.origin + "/help"
	}
	return c, c.rehearse()
}

// setOrigin takes what stands before every path of ours.
func (c *Courier) setOrigin(public string) error {
	u, err := url.Parse(public)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !isPlain(public) {
		return errors.New("courier: wanted a public URL, got something else")
	}
	c.origin, c.host = strings.TrimSuffix(public, "/"), u.Hostname()
	return nil
}

// isPlain reports whether the text is visible ASCII alone.
func isPlain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// setLanguages keeps those that we have words in, Welsh above English (the Welsh
// Language Standards ask that it be met first).
func (c *Courier) setLanguages(given []string) error {
	for _, lang := range []string{welsh, english} {
		if len(given) == 0 || slices.Contains(given, lang) {
			c.languages = append(c.languages, lang)
		}
	}
	if len(c.languages) == 0 {
		return errors.New("courier: wanted English or Welsh among the languages, got others")
	}
	return nil
}

// maxName is the longest name that an email's foot carries well.
const maxName = 100

// setNames takes the organisation's name, as given for emails and in the letters
// of a text for texts.
func (c *Courier) setNames(given map[string]string) error {
	c.organisation, c.names = map[string]string{}, map[string][]string{}
	for _, lang := range []string{welsh, english} {
		name := given[lang]
		for _, other := range append([]string{english}, slices.Sorted(maps.Keys(given))...) {
			if name == "" {
				name = given[other]
			}
		}
		if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsAny(name, "[]<>{}#*") {
			return fmt.Errorf("courier: wanted the organisation's name, 1 to %d letters, got something else", maxName)
		}
		short := plainLetters.Replace(name)
		if _, ok := septets(short); !ok {
			return fmt.Errorf("courier: wanted the organisation's name in letters that a text message has, got others in %q", name)
		}
		c.organisation[lang], c.names[lang] = name, []string{short}
		if !slices.Contains(c.names[both], short) {
			c.names[both] = append(c.names[both], short)
		}
	}
	return nil
}

// rehearse words every message once.
func (c *Courier) rehearse() error {
	anybody := map[identity.Channel]identity.Contact{identity.ByEmail: {Channel: identity.ByEmail}, identity.BySMS: {Channel: identity.BySMS}}
	longest := map[string]identity.Secret{
		"code": identity.Secret(strings.Repeat("8", maxCode)), "link": identity.Secret(c.origin + strings.Repeat("/", maxPath)), "address": "name@example.com",
	}
	for _, kind := range outbox.Kinds() {
		m := outbox.Message{Kind: kind, Params: map[string]identity.Secret{}}
		for _, name := range kind.Params() {
			m.Params[name] = longest[name]
		}
		for by, to := range anybody {
			for _, m.Language = range []string{english, welsh, ""} {
				if m.To = to; !kind.Goes(by) {
					continue
				}
				if _, err := c.word(m); err != nil {
					return fmt.Errorf("courier: %s by %s: %w (public_url's host has %d letters, organisation.help.phone %d)",
						kind, by, err, len(c.host), len(c.help))
				}
			}
		}
	}
	return nil
}

// Send is of [outbox.Courier].
func (c *Courier) Send(ctx context.Context, m outbox.Message) error {
	s, err := c.sender(m)
	if err != nil {
		return err
	}
	l, err := c.word(m)
	if err != nil { // which names no value, and would be the same next time
		return outbox.Permanent{Cause: "no-words"}
	}
	return s.Send(ctx, l)
}

// Sent is of [outbox.Courier].
func (c *Courier) Sent(ctx context.Context, m outbox.Message) (bool, error) {
	s, err := c.sender(m)
	if err != nil {
		return false, err
	}
	return s.Sent(ctx, m.ID)
}

func (c *Courier) sender(m outbox.Message) (Sender, error) {
	s, found := c.senders[m.To.Channel]
	if !found {
		return nil, outbox.Off{Cause: "not-configured"}
	}
	return s, nil
}

// word puts a message into its words.
func (c *Courier) word(m outbox.Message) (Letter, error) {
	values, err := c.values(m)
	if err != nil {
		return Letter{}, err
	}
	l := Letter{Reference: m.ID, To: m.To}
	langs := c.languages
	if slices.Contains([]string{english, welsh}, m.Language) {
		langs = []string{m.Language}
	}
	var body string
	if m.To.Channel == identity.BySMS {
		lang := langs[0]
		if len(langs) > 1 {
			lang = both
		}
		body, err = c.text(c.words["sms."+string(m.Kind)][lang], lang, values)
	} else {
		l.Subject, body, err = c.mail("mail."+string(m.Kind), langs, values)
	}
	l.Body = identity.Secret(body)
	return l, err
}

const (
	// maxCode is the longest code that is sent.
	maxCode = 8
	// maxPath is how long a link of ours may be behind the public URL, so that it
	// fits into a text: room for a word, a slash each side, and a token of 256 bits.
	maxPath = 56
)

var codeShape = regexp.MustCompile(`^[0-9A-Z]{4,8}$`)

// values are what fills the holes of a message. What comes with it is judged once
// more, whoever made it: a line end or a foreign address gets into no message.
func (c *Courier) values(m outbox.Message) (map[string]string, error) {
	v := map[string]string{
		"help": c.help, "login": c.origin + "/login/email", "recover": c.origin + "/recover", "ways": c.origin + "/login",
	}
	for name, secret := range m.Params {
		value := secret.Reveal()
		switch {
		case name == "code" && codeShape.MatchString(value):
		case name == "link" && strings.HasPrefix(value, c.origin+"/") && isPlain(value) && len(value) <= len(c.origin)+maxPath:
		case name == "address":
			value = shown(value)
		default:
			return nil, fmt.Errorf("message %s: wanted a %s fit for a message, got something else", m.Kind, name)
		}
		v[name] = value
	}
	return v, nil
}

// longestShown bounds an address in a reminder: its owner knows it by its
// beginning.
const longestShown = 48

// shown is an email address as a reminder shows it: letters that a text lacks, and
// those that a vendor could take for markup, as a question mark.
func shown(address string) string {
	safe := strings.Map(func(r rune) rune {
		if r > '~' || !strings.ContainsRune("@.-_+'&", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return '?'
		}
		return r
	}, address)
	return cut(safe, longestShown)
}
