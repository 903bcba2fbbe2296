package courier

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/rp/outside"
)

// NotifyOptions are one channel at GOV.UK Notify.
type NotifyOptions struct {
	URL      string          // https://api.notifications.service.gov.uk
	Key      identity.Secret // NAME-SERVICE-SECRET, as Notify shows it once
	Template string          // its id; see the package's comment for what it holds
	Now      func() time.Time
	Loopback bool          // plain http to this machine is allowed
	Within   time.Duration // for one answer; zero: 8 s
}

// Notify is a [Sender] by GOV.UK Notify (its REST API, version 2).
type Notify struct {
	base     string
	service  string
	secret   identity.Secret
	template string
	now      func() time.Time
	client   *http.Client
}

// NewNotify returns one, or what is wrong with its options, without their secret.
func NewNotify(o NotifyOptions) (*Notify, error) {
	service, secret, err := splitKey(o.Key)
	if err != nil {
		return nil, err
	}
	if err := outside.CheckEndpoint(o.URL, o.Loopback); err != nil {
		return nil, fmt.Errorf("notify: url: %w", err)
	}
	if !uuid.MatchString(o.Template) {
		return nil, errors.New("notify: template: wanted the id of one, got something else")
	}
	if o.Within == 0 {
		o.Within = answerWithin
	}
	return &Notify{strings.TrimSuffix(o.URL, "/"), service, secret, o.Template, o.Now, newClient(o.Within, o.Loopback)}, nil
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// uuidLength is that of a UUID with its hyphens.
const uuidLength = 36

// splitKey takes the service's id and the secret off the right end of a key: its
// name, in front, may hold hyphens too.
func splitKey(key identity.Secret) (service string, secret identity.Secret, err error) {
	k := strings.TrimSpace(key.Reveal())
	at := len(k) - uuidLength
	if at < uuidLength+2 || k[at-1] != '-' || k[at-1-uuidLength-1] != '-' ||
		!uuid.MatchString(k[at:]) || !uuid.MatchString(k[at-1-uuidLength:at-1]) {
		return "", "", errors.New("notify: api key: wanted NAME-SERVICE-SECRET, the last two being UUIDs, got something else")
	}
	return k[at-1-uuidLength : at-1], identity.Secret(k[at:]), nil
}

// bearer returns the token that names us: a JWT (RFC 7519) with HS256, good for 30
// seconds around its iat.
func (n *Notify) bearer() string {
	encode := base64.RawURLEncoding.EncodeToString
	body := encode([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." +
		encode([]byte(`{"iss":"`+n.service+`","iat":`+strconv.FormatInt(n.now().Unix(), 10)+`}`))
	code := hmac.New(sha256.New, []byte(n.secret.Reveal()))
	_, _ = code.Write([]byte(body)) // never fails
	return body + "." + encode(code.Sum(nil))
}

// posted is what Notify takes.
type posted struct {
	Phone           string            `json:"phone_number,omitempty"`
	Email           string            `json:"email_address,omitempty"`
	Template        string            `json:"template_id"`
	Personalisation map[string]string `json:"personalisation"`
	Reference       string            `json:"reference"`
}

// Send is of [Sender].
func (n *Notify) Send(ctx context.Context, l Letter) error {
	p := posted{Template: n.template, Reference: l.Reference, Personalisation: map[string]string{"body": l.Body.Reveal()}}
	path := "/v2/notifications/sms"
	if l.To.Channel == identity.ByEmail {
		p.Email, p.Personalisation["subject"], path = l.To.Reveal(), l.Subject, "/v2/notifications/email"
	} else {
		p.Phone = l.To.Reveal()
	}
	body, err := json.Marshal(p)
	if err != nil {
		return outbox.Permanent{Cause: "not-text"} // the cause may quote it
	}
	got, err := n.call(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	if got.status == http.StatusCreated {
		return nil
	}
	return n.judge(got)
}

func (n *Notify) call(ctx context.Context, method, path string, body []byte) (reply, error) {
	r, err := newRequest(method, n.base+path, body)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer "+n.bearer())
	return call(ctx, n.client, r)
}

// Sent is of [Sender]. Notify finds what it took by its reference for as long as
// it keeps data, seven days unless the service chose otherwise.
func (n *Notify) Sent(ctx context.Context, reference string) (bool, error) {
	got, err := n.call(ctx, http.MethodGet, "/v2/notifications?reference="+url.QueryEscape(reference), nil)
	if err != nil {
		return false, err
	}
	if got.status != http.StatusOK {
		return false, n.judge(got)
	}
	var list struct {
		Notifications []struct {
			Reference string `json:"reference"`
		} `json:"notifications"`
	}
	if json.Unmarshal(got.body, &list) != nil {
		return false, errors.New("wanted a list of notifications, got something else")
	}
	for _, one := range list.Notifications {
		if one.Reference == reference {
			return true, nil
		}
	}
	return false, nil
}

// Check asks for the template, which tells whether key, clock and template are
// right without sending anything. It returns nil, or the fault in words of ours.
func (n *Notify) Check(ctx context.Context, by identity.Channel) error {
	got, err := n.call(ctx, http.MethodGet, "/v2/template/"+n.template, nil)
	switch {
	case err != nil:
		return fmt.Errorf("notify: %w", err)
	case got.status == http.StatusNotFound:
		return errors.New("notify: template: wanted one of this service, got none")
	case got.status != http.StatusOK:
		return fmt.Errorf("notify: %w", n.judge(got))
	}
	var t struct{ Type, Body, Subject string }
	_ = json.Unmarshal(got.body, &t) // what is not there is wrong
	switch {
	case t.Type != string(by):
		return fmt.Errorf("notify: template: wanted one for %s, got another kind", by)
	case strings.TrimSpace(t.Body) != "((body))":
		return errors.New("notify: template: wanted ((body)) as its whole body, got something else")
	case by == identity.ByEmail && strings.TrimSpace(t.Subject) != "((subject))":
		return errors.New("notify: template: wanted ((subject)) as its whole subject, got something else")
	}
	return nil
}

// Error types that Notify documents. Its messages change and are not read.
const (
	rateLimit  = "RateLimitError"       // so many a minute
	dailyLimit = "TooManyRequestsError" // so many a day, until midnight UTC
	badRequest = "BadRequestError"      // not allowed for this service or key
	notValid   = "ValidationError"      // not a number or address
)

// rateRest is how long a message rests after the limit of a minute.
const rateRest = 15 * time.Second

// judge turns an answer other than yes into an error of [outbox.Courier]. Of an
// answer of 500 nobody knows whether it came before or after the message was
// written down.
func (n *Notify) judge(got reply) error {
	kind := errorType(got.body)
	switch s := got.status; {
	case s == http.StatusBadRequest && (kind == badRequest || kind == notValid):
		return outbox.Permanent{Cause: "notify-400-" + kind}
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return outbox.Off{Cause: n.whyForbidden(got)}
	case s == http.StatusTooManyRequests && kind == dailyLimit:
		return outbox.Off{Until: midnightAfter(n.now()), Cause: "daily-limit"}
	case s == http.StatusTooManyRequests:
		return outbox.Temporary{RetryAfter: rateRest, Cause: "rate-limit"}
	case s >= http.StatusInternalServerError, s == http.StatusRequestTimeout:
		return fmt.Errorf("wanted status 201, got %d", s)
	}
	return outbox.Temporary{Cause: "notify-" + strconv.Itoa(got.status)}
}

// errorType returns the type of the first error in Notify's answer, if it is one
// that we know.
func errorType(body []byte) string {
	var answer struct {
		Errors []struct {
			Error string `json:"error"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	for _, e := range answer.Errors {
		switch e.Error {
		case rateLimit, dailyLimit, badRequest, notValid:
			return e.Error
		}
	}
	return ""
}

// clockWithin is how far Notify lets a clock be off.
const clockWithin = 30 * time.Second

// whyForbidden tells a clock that is wrong, by the time the answer was made, from
// a key that is.
func (n *Notify) whyForbidden(got reply) string {
	theirs, err := http.ParseTime(got.header.Get("Date"))
	if drift := n.now().Sub(theirs).Abs(); err == nil && drift > clockWithin {
		return "clock"
	}
	return "key"
}

// midnightAfter is when Notify's day ends.
func midnightAfter(now time.Time) time.Time {
	y, m, d := now.UTC().Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
}
