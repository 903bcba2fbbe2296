package courier_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/rp/courier"
	"github.com/dilys-id/dilys/rp/courier/notifystandin"
)

const (
	service   = "26785a09-ab16-4eb0-8407-a37497a57506"
	secret    = "3d844edf-8d35-48ac-975b-e847b4f122b0"
	smsID     = "f33517ff-2a88-4f6e-b855-c550268ce08a"
	emailID   = "c8a1fb0e-3f4d-4c2f-9b0a-7d5a6f1e2b3c"
	callbacks = identity.Secret("a bearer that only Notify has")
)

// epoch is when the stories begin.
var epoch = time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	phone = must(identity.ParsePhone("07700 900123")).Contact()
	email = must(identity.ParseEmail("ann@example.com")).Contact()
)

// post is Notify's stand-in and our clients to it.
type post struct {
	*notifystandin.StandIn
	sms, email *courier.Notify
	url        string
	drift      atomic.Int64 // of our clock against Notify's
	patience   time.Duration
}

// hasty is the patience of tests in which Notify is silent.
const hasty = 100 * time.Millisecond

func newPost(t *testing.T, now func() time.Time, change ...func(*notifystandin.Options)) *post {
	t.Helper()
	o := notifystandin.Options{Now: now, Name: "dilys-live", Service: service, Secret: secret, Templates: []notifystandin.Template{
		{ID: smsID, Type: notifystandin.SMS, Body: "((body))"},
		{ID: emailID, Type: notifystandin.Email, Subject: "((subject))", Body: "((body))"},
	}}
	for _, c := range change {
		c(&o)
	}
	p := &post{StandIn: must(notifystandin.New(o))}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	clock := func() time.Time { return now().Add(time.Duration(p.drift.Load())) }
	p.sms, p.email = p.client(t, p.Key(), smsID, clock), p.client(t, p.Key(), emailID, clock)
	return p
}

func (p *post) client(t *testing.T, key identity.Secret, template string, now func() time.Time) *courier.Notify {
	t.Helper()
	n, err := courier.NewNotify(courier.NotifyOptions{URL: p.url, Key: key, Template: template, Now: now, Loopback: true, Within: p.patience})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func still() time.Time { return epoch }

func letter(to identity.Contact) courier.Letter {
	return courier.Letter{Reference: identity.NewID(), To: to, Subject: "Croeso / Welcome", Body: "â line\nand another"}
}

func TestNotifySendsWhatItWasGiven(t *testing.T) {
	p := newPost(t, still)
	text, mail := letter(phone), letter(email)
	for _, err := range []error{p.sms.Send(t.Context(), text), p.email.Send(t.Context(), mail)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := p.Messages()
	if len(got) != 2 || got[0].To != "+447700900123" || got[0].Body != text.Body.Reveal() || got[0].Reference != text.Reference || got[0].Subject != "" ||
		got[1].To != "ann@example.com" || got[1].Subject != mail.Subject || got[1].Reference != mail.Reference {
		t.Errorf("got %+v", got)
	}
	for reference, want := range map[string]bool{text.Reference: true, mail.Reference: true, "another": false, "": false} {
		if sent, err := p.sms.Sent(t.Context(), reference); err != nil || sent != want {
			t.Errorf("%q: got %v, %v", reference, sent, err)
		}
	}
}

// What each way to fail means for the message: the four answers of a courier.
func TestNotifyFaults(t *testing.T) {
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		fault notifystandin.Fault
		want  error // nil: nobody knows
		taken int
	}{
		"the day's limit":           {notifystandin.DailyLimit, outbox.Off{Until: midnight, Cause: "daily-limit"}, 0},
		"the minute's limit":        {notifystandin.RateLimit, outbox.Temporary{RetryAfter: 15 * time.Second, Cause: "rate-limit"}, 0},
		"500":                       {notifystandin.Broken, nil, 0},
		"500 after it was taken":    {notifystandin.BrokenAfter, nil, 1},
		"a time-out after":          {notifystandin.Hang, nil, 1},
		"a broken connection after": {notifystandin.Drop, nil, 1},
		"a broken connection":       {notifystandin.Down, nil, 0},
		"a redirect":                {notifystandin.Redirect, outbox.Temporary{Cause: "redirect"}, 0},
		"no JSON":                   {notifystandin.Babble, outbox.Temporary{Cause: "notify-400"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPost(t, still)
			p.SetFault(row.fault)
			if row.fault == notifystandin.Hang {
				p.patience = hasty
			}
			err := p.client(t, p.Key(), smsID, still).Send(t.Context(), letter(phone))
			if row.want != nil && err != row.want { //nolint:errorlint // the value is meant
				t.Errorf("wanted %v, got %v", row.want, err)
			}
			if row.want == nil && !unknown(err) {
				t.Errorf("wanted an error that decides nothing, got %v", err)
			}
			if n := len(p.Messages()); n != row.taken {
				t.Errorf("wanted %d taken, got %d", row.taken, n)
			}
			if err != nil && strings.Contains(err.Error(), "7700900123") {
				t.Error("the error tells the number")
			}
		})
	}
}

// unknown reports whether the error leaves open what became of the message.
func unknown(err error) bool {
	var temporary outbox.Temporary
	var permanent outbox.Permanent
	var off outbox.Off
	return err != nil && !errors.As(err, &temporary) && !errors.As(err, &permanent) && !errors.As(err, &off)
}

func TestNotifyNotThere(t *testing.T) {
	p := newPost(t, still)
	gone := httptest.NewServer(http.NotFoundHandler())
	p.url = gone.URL
	nobody := p.client(t, p.Key(), smsID, still)
	gone.Close()
	if err := nobody.Send(t.Context(), letter(phone)); err != (outbox.Temporary{Cause: "no-connection"}) {
		t.Errorf("got %v", err)
	}
}

func TestNotifyRefusals(t *testing.T) {
	foreign := must(identity.ParsePhone("+33612345678")).Contact()
	for name, row := range map[string]struct {
		to       identity.Contact
		key      identity.Secret
		template string
		drift    time.Duration
		want     error
	}{
		"a foreign number":           {foreign, "", smsID, 0, outbox.Permanent{Cause: "notify-400-BadRequestError"}},
		"no mobile number":           {must(identity.ParsePhone("12345")).Contact(), "", smsID, 0, outbox.Permanent{Cause: "notify-400-ValidationError"}},
		"an address without a dot":   {must(identity.ParseEmail("ann@localhost")).Contact(), "", emailID, 0, outbox.Permanent{Cause: "notify-400-ValidationError"}},
		"a template of another kind": {phone, "", emailID, 0, outbox.Permanent{Cause: "notify-400-BadRequestError"}},
		"no such template":           {phone, "", service, 0, outbox.Permanent{Cause: "notify-400-BadRequestError"}},
		"another secret":             {phone, "dilys-" + service + "-" + smsID, smsID, 0, outbox.Off{Cause: "key"}},
		"another service":            {phone, "dilys-" + smsID + "-" + secret, smsID, 0, outbox.Off{Cause: "key"}},
		"a clock 30 s ahead":         {phone, "", smsID, 30 * time.Second, nil},
		"a clock 31 s ahead":         {phone, "", smsID, 31 * time.Second, outbox.Off{Cause: "clock"}},
		"a clock 31 s behind":        {phone, "", smsID, -31 * time.Second, outbox.Off{Cause: "clock"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPost(t, still)
			if row.key == "" {
				row.key = p.Key()
			}
			n := p.client(t, row.key, row.template, func() time.Time { return epoch.Add(row.drift) })
			if err := n.Send(t.Context(), letter(row.to)); err != row.want { //nolint:errorlint // the value is meant
				t.Errorf("wanted %v, got %v", row.want, err)
			}
			_, err := n.Sent(t.Context(), "any")
			var off outbox.Off
			if wantOff := errors.As(row.want, &off); wantOff != errors.As(err, &off) {
				t.Errorf("asked after a message: %v", err)
			}
		})
	}
}

func TestNotifySentCannotTell(t *testing.T) {
	for _, fault := range []notifystandin.Fault{notifystandin.Broken, notifystandin.Hang, notifystandin.Down, notifystandin.Redirect, notifystandin.Babble} {
		p := newPost(t, still)
		p.SetFault(fault)
		p.patience = hasty
		if sent, err := p.client(t, p.Key(), smsID, still).Sent(t.Context(), "any"); err == nil || sent {
			t.Errorf("%s: wanted an error, got %v", fault, sent)
		}
	}
}

func TestNotifyCheck(t *testing.T) {
	for name, row := range map[string]struct {
		template notifystandin.Template
		id       string
		fault    notifystandin.Fault
		ok       bool
	}{
		"right":                 {notifystandin.Template{ID: smsID, Type: "sms", Body: "((body))\n"}, smsID, "", true},
		"no such template":      {notifystandin.Template{ID: smsID, Type: "sms", Body: "((body))"}, emailID, "", false},
		"for another channel":   {notifystandin.Template{ID: smsID, Type: "email", Body: "((body))"}, smsID, "", false},
		"words around the hole": {notifystandin.Template{ID: smsID, Type: "sms", Body: "Hello ((body))"}, smsID, "", false},
		"down":                  {notifystandin.Template{ID: smsID, Type: "sms", Body: "((body))"}, smsID, notifystandin.Down, false},
	} {
		p := newPost(t, still, func(o *notifystandin.Options) { o.Templates = []notifystandin.Template{row.template} })
		p.SetFault(row.fault)
		if err := p.client(t, p.Key(), row.id, still).Check(t.Context(), identity.BySMS); (err == nil) != row.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newPost(t, still)
	if err := p.email.Check(t.Context(), identity.ByEmail); err != nil {
		t.Error(err)
	}
	p.drift.Store(int64(time.Hour))
	if err := p.email.Check(t.Context(), identity.ByEmail); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("wanted the clock blamed, got %v", err)
	}
}

func TestNewNotifyRefuses(t *testing.T) {
	right := courier.NotifyOptions{URL: "https://api.notifications.service.gov.uk", Key: "dilys-" + service + "-" + secret, Template: smsID, Now: still}
	if _, err := courier.NewNotify(right); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*courier.NotifyOptions){
		"no key":               func(o *courier.NotifyOptions) { o.Key = "" },
		"a key without a name": func(o *courier.NotifyOptions) { o.Key = service + "-" + secret },
		"a key cut short":      func(o *courier.NotifyOptions) { o.Key = identity.Secret("dilys-" + service + "-" + secret[:35]) },
		"a secret that is no UUID": func(o *courier.NotifyOptions) {
			o.Key = "dilys-" + service + "-" + identity.Secret(strings.Repeat("z", 36))
		},
		"a service with a quote in it": func(o *courier.NotifyOptions) { o.Key = identity.Secret("dilys-" + `"` + service[1:] + "-" + secret) },
		"plain http":                   func(o *courier.NotifyOptions) { o.URL = "http://api.notifications.service.gov.uk" },
		"plain http to this machine":   func(o *courier.NotifyOptions) { o.URL = "http://127.0.0.1:1" },
		"plain http elsewhere, though loopback": func(o *courier.NotifyOptions) {
			o.URL, o.Loopback = "http://example.org", true
		},
		"a URL with a user": func(o *courier.NotifyOptions) { o.URL = "https://a:b@example.org" },
		"no URL":            func(o *courier.NotifyOptions) { o.URL = "" },
		"no template":       func(o *courier.NotifyOptions) { o.Template = "" },
		"a template's name": func(o *courier.NotifyOptions) { o.Template = "../service" },
	} {
		o := right
		change(&o)
		_, err := courier.NewNotify(o)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Row D14: forged, replayed, huge.
func TestReceipts(t *testing.T) {
	body := func(reference, status string) string {
		b := must(json.Marshal(map[string]string{"id": service, "reference": reference, "to": "07700900123", "status": status, "notification_type": "sms"}))
		return string(b)
	}
	right := "Bearer " + callbacks.Reveal()
	for name, row := range map[string]struct {
		method, bearer, body string
		status               int
		seen                 string
	}{
		"delivered":                        {"POST", right, body("ref", "delivered"), 200, "ref delivered"},
		"failed for good":                  {"POST", right, body("ref", "permanent-failure"), 200, "ref permanent-failure"},
		"no bearer":                        {"POST", "", body("ref", "delivered"), 401, ""},
		"an empty bearer":                  {"POST", "Bearer ", body("ref", "delivered"), 401, ""},
		"another bearer":                   {"POST", "Bearer another", body("ref", "delivered"), 401, ""},
		"the bearer's beginning":           {"POST", right[:len(right)-1], body("ref", "delivered"), 401, ""},
		"the bearer without its scheme":    {"POST", callbacks.Reveal() + " ", body("ref", "delivered"), 401, ""},
		"another bearer, huge":             {"POST", "Bearer another", strings.Repeat("x", 1<<20), 401, ""},
		"huge":                             {"POST", right, `{"status":"delivered","to":"` + strings.Repeat("x", 64<<10) + `"}`, 413, ""},
		"a megabyte of brackets":           {"POST", right, strings.Repeat("[", 60<<10), 400, ""},
		"no JSON":                          {"POST", right, "reference=ref", 400, ""},
		"nothing":                          {"POST", right, "", 400, ""},
		"a list":                           {"POST", right, "[]", 400, ""},
		"no status":                        {"POST", right, `{"reference":"ref"}`, 400, ""},
		"a status of another type":         {"POST", right, `{"reference":"ref","status":7}`, 400, ""},
		"two receipts in one":              {"POST", right, body("ref", "delivered") + body("ref", "delivered"), 400, ""},
		"a status nobody knows":            {"POST", right, body("ref", "DELIVERED'; --"), 200, ""},
		"no reference":                     {"POST", right, `{"reference":null,"status":"delivered"}`, 200, ""},
		"a reference that is none of us":   {"POST", right, body("<script>", "delivered"), 200, ""},
		"a reference with a line end":      {"POST", right, body("ref\n", "delivered"), 200, ""},
		"a reference of a thousand":        {"POST", right, body(strings.Repeat("r", 1000), "delivered"), 200, ""},
		"a GET":                            {"GET", right, "", 405, ""},
		"a receipt that could not be kept": {"POST", right, body("broken", "delivered"), 503, "broken delivered"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := ""
			h := courier.Receipts(callbacks, func(_ context.Context, reference, status string) error {
				seen = reference + " " + status
				if reference == "broken" {
					return identity.ErrUnavailable
				}
				return nil
			})
			r, w := httptest.NewRequest(row.method, "/receipts", strings.NewReader(row.body)), httptest.NewRecorder()
			r.Header.Set("Authorization", row.bearer)
			h.ServeHTTP(w, r)
			if w.Code != row.status || seen != row.seen || strings.Contains(w.Body.String(), "7700") {
				t.Errorf("got %d, seen %q", w.Code, seen)
			}
		})
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/receipts", strings.NewReader(body("ref", "delivered")))
	r.Header.Set("Authorization", "Bearer ")
	courier.Receipts("", func(context.Context, string, string) error { t.Error("admitted"); return nil }).ServeHTTP(w, r)
	if w.Code != 401 {
		t.Errorf("no bearer configured: got %d", w.Code)
	}
}
