package workbench

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/rp/provider/simulator"
	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 11, 21, 15, 5, 0, 0, time.UTC)

// rig is a workbench beside a real simulator, and time that stands still unless
// the clock is turned.
type rig struct {
	t      *testing.T
	server *httptest.Server
	sim    *simulator.Simulator
	clock  *Clock
	sent   []Message
	noted  Warnings
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, clock: &Clock{real: func() time.Time { return start }}}
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.sim.ServeHTTP(w, r) }))
	t.Cleanup(provider.Close)
	client, _ := simulator.TestClient("dilys", "http://127.0.0.1/callback")
	var err error
	g.sim, err = simulator.New(simulator.Options{Issuer: provider.URL, Now: g.clock.Now, Clients: []simulator.Client{client}, Warn: g.noted.Add})
	if err != nil {
		t.Fatal(err)
	}
	bench, err := New(Options{
		Clock: g.clock, Simulator: provider.URL, Outbox: func() []Message { return g.sent }, Warnings: g.noted.List,
		Addresses: []Address{{"Dilys", "http://localhost:8080", "the service"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.server = httptest.NewServer(bench)
	t.Cleanup(g.server.Close)
	return g
}

type reply struct {
	status int
	header http.Header
	body   string
}

// send sends a request; header names and values alternate, and a Host among them
// is the request's host.
func (g *rig) send(method, path, body string, header ...string) reply {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), method, g.server.URL+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if request.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			request.Host = header[i+1]
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

func (g *rig) get(path string) reply { g.t.Helper(); return g.send(http.MethodGet, path, "") }

const formType = "application/x-www-form-urlencoded"

func TestOutbox(t *testing.T) {
	g := newRig(t)
	if got := g.get("/outbox.json"); got.body != "[]\n" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("empty: wanted [], got %q as %s", got.body, got.header.Get("Content-Type"))
	}
	if page := g.get("/").body; !strings.Contains(page, "Nothing is sent in this version: login by provider needs no message") {
		t.Error("empty: wanted the page to say that nothing is sent")
	}
	g.sent = []Message{
		{"mair-prawf@example.com", "email", "cy", "Pwnc & <b>", "Testun\nhttps://login.example.org/a?b=1&c=2", start.In(time.FixedZone("", 3600))},
		{"+447700900100", "sms", "en", "", "Text", start.Add(time.Minute)},
	}
	want := `[{"to":"mair-prawf@example.com","channel":"email","language":"cy","subject":"Pwnc & <b>","text":"Testun\nhttps://login.example.org/a?b=1&c=2","at":"2026-11-21T15:05:00Z"},` +
		`{"to":"+447700900100","channel":"sms","language":"en","subject":"","text":"Text","at":"2026-11-21T15:06:00Z"}]` + "\n"
	if diff := cmp.Diff(want, g.get("/outbox.json").body); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	page := g.get("/").body
	if strings.Contains(page, "<b>") || !strings.Contains(page, "Pwnc &amp; &lt;b&gt;") {
		t.Error("wanted the subject escaped on the page")
	}
	if strings.Index(page, "900100") > strings.Index(page, "mair-prawf@") {
		t.Error("wanted the newest message first on the page")
	}
}

func TestClock(t *testing.T) {
	for name, row := range map[string]struct {
		before, by time.Duration
		want       time.Duration // offset after
		fails      bool
	}{
		"forward":             {0, 31 * time.Minute, 31 * time.Minute, false},
		"forward again":       {time.Hour, time.Minute, time.Hour + time.Minute, false},
		"nowhere":             {time.Hour, 0, time.Hour, true},
		"back":                {time.Hour, -time.Minute, time.Hour, true},
		"ten years":           {0, maxAhead, maxAhead, false},
		"past ten years":      {0, maxAhead + 1, 0, true},
		"past it in all":      {maxAhead, 1, maxAhead, true},
		"so far it overflows": {time.Hour, 1<<63 - 1, time.Hour, true},
	} {
		c := &Clock{real: func() time.Time { return start }}
		if row.before > 0 {
			if err := c.Advance(row.before); err != nil {
				t.Fatal(err)
			}
		}
		err := c.Advance(row.by)
		if (err != nil) != row.fails || c.Offset() != row.want || !c.Now().Equal(start.Add(row.want)) {
			t.Errorf("%s: wanted %v, got %v and %v", name, row.want, c.Offset(), err)
		}
	}
	t.Run("the zero value shows real time", func(t *testing.T) {
		before, got, after := time.Now(), new(Clock).Now(), time.Now()
		if got.Before(before) || got.After(after) {
			t.Errorf("wanted between %v and %v, got %v", before, after, got)
		}
	})
	t.Run("turned by many at once, no turn is lost", func(t *testing.T) {
		c := &Clock{real: func() time.Time { return start }}
		done := make(chan error)
		for range 50 {
			go func() { done <- c.Advance(time.Second) }()
		}
		for range 50 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if c.Offset() != 50*time.Second {
			t.Errorf("wanted 50s, got %v", c.Offset())
		}
	})
}

func TestClockOverHTTP(t *testing.T) {
	g := newRig(t)
	if got := g.get("/clock").body; got != `{"now":"2026-11-21T15:05:00Z","offset":"0s"}`+"\n" {
		t.Errorf("real time: got %s", got)
	}
	turned := `{"now":"2026-11-21T15:36:00Z","offset":"31m0s"}` + "\n"
	if got := g.send(http.MethodPost, "/clock", `{"advance": "31m"}`, "Content-Type", "application/json"); got.status != http.StatusOK || got.body != turned {
		t.Errorf("JSON: got %d %s", got.status, got.body)
	}
	if got := g.send(http.MethodPost, "/clock", `{"advance": "24m"}`, "Content-Type", formType); got.status != http.StatusOK || g.clock.Offset() != 55*time.Minute {
		t.Errorf("JSON that curl calls a form: got %d %s", got.status, got.body)
	}
	if got := g.send(http.MethodPost, "/clock", "advance=5m", "Content-Type", formType); got.status != http.StatusSeeOther || got.header.Get("Location") != "/#clock" || g.clock.Offset() != time.Hour {
		t.Errorf("form: got %d %s", got.status, got.body)
	}
	if page := g.get("/").body; !strings.Contains(page, "Saturday 21 November 2026, 16:05:00 UTC</strong>, 1h0m0s ahead of real time") {
		t.Error("page: wanted the time and the offset on it")
	}
	for name, body := range map[string]string{
		"back":              `{"advance": "-1m"}`,
		"no unit":           `{"advance": "31"}`,
		"a number":          `{"advance": 31}`,
		"nothing":           `{}`,
		"broken JSON":       `{"advance": "31m"`,
		"two objects":       `{"advance": "31m"}{}`,
		"an empty body":     "",
		"a form, back":      "advance=-1m",
		"a form, eleven y.": "advance=96360h",
		"not a form":        "advance=%zz",
		"too long":          "advance=1m&x=" + strings.Repeat("x", maxBody),
		"markup":            "advance=<script>",
	} {
		got := g.send(http.MethodPost, "/clock", body, "Content-Type", formType)
		if got.status != http.StatusBadRequest || g.clock.Offset() != time.Hour {
			t.Errorf("%s: wanted 400 and nothing turned, got %d, %v", name, got.status, g.clock.Offset())
		}
		isJSON := strings.HasPrefix(body, "{")
		if isJSON != strings.HasPrefix(got.body, `{"error":"`) || !isJSON && !strings.Contains(got.body, "<title>Error: ") || strings.Contains(got.body, "<script>") {
			t.Errorf("%s: got %s", name, got.body)
		}
	}
}

func TestFaults(t *testing.T) {
	const lie = "exp-past"
	g := newRig(t)
	if page := g.get("/").body; !strings.Contains(page, "The simulator is honest") || !strings.Contains(page, `<option value="`+lie+`">`) {
		t.Error("wanted an honest simulator and a list of lies")
	}
	if got := g.send(http.MethodPost, "/faults", "preset="+lie+"&when=always", "Content-Type", formType); got.status != http.StatusSeeOther {
		t.Fatalf("always: got %d %s", got.status, got.body)
	}
	if page := g.get("/").body; !strings.Contains(page, "<dt>Everybody</dt>") || strings.Contains(page, "<dt>The next login</dt>") || !strings.Contains(page, "&#34;exp&#34;: &#34;-1h0m0s&#34;") {
		t.Error("always: wanted the lie shown")
	}
	if got := g.send(http.MethodPost, "/faults", "preset=", "Content-Type", formType); got.status != http.StatusSeeOther {
		t.Fatalf("honest: got %d %s", got.status, got.body)
	}
	if page := g.get("/").body; !strings.Contains(page, "The simulator is honest") {
		t.Error("wanted an honest simulator again")
	}
	if got := g.send(http.MethodPost, "/faults", `{"preset": "`+lie+`", "when": "next"}`); got.status != http.StatusNoContent {
		t.Fatalf("next: got %d %s", got.status, got.body)
	}
	if page := g.get("/").body; strings.Contains(page, "<dt>Everybody</dt>") || !strings.Contains(page, "<dt>The next login</dt>") {
		t.Error("next: wanted the lie shown")
	}
	if err := g.sim.SetClientFaults("dilys", simulator.Faults{Authz: &simulator.AuthzFault{Error: "access_denied"}}); err != nil {
		t.Fatal(err)
	}
	if page := g.get("/").body; !strings.Contains(page, "<dt>The client dilys</dt>") {
		t.Error("a lie that was told elsewhere is not shown")
	}
	if got := g.send(http.MethodPost, "/faults", "preset=nonsense", "Content-Type", formType); got.status != http.StatusBadGateway || !strings.Contains(got.body, "<title>Error: ") {
		t.Errorf("a lie that nobody knows: got %d", got.status)
	}
}

func TestSimulatorAway(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	bench, err := New(Options{Clock: new(Clock), Simulator: away.URL})
	if err != nil {
		t.Fatal(err)
	}
	show := func() string {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081/", nil)
		bench.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("wanted the page all the same, got %d", w.Code)
		}
		return w.Body.String()
	}
	if page := show(); !strings.Contains(page, "the simulator refused") {
		t.Error("another server there: wanted it said")
	}
	away.Close()
	if page := show(); !strings.Contains(page, "the simulator does not answer") {
		t.Error("nobody there: wanted it said")
	}
}

func TestWarnings(t *testing.T) {
	g := newRig(t)
	if page := g.get("/").body; !strings.Contains(page, "None: no client did") {
		t.Error("wanted it said that there are none")
	}
	g.noted.Add("client \"dilys\": sends no <state>")
	if page := g.get("/").body; !strings.Contains(page, "sends no &lt;state&gt;") {
		t.Error("wanted the warning on the page, escaped")
	}
	var w Warnings
	for _, text := range []string{"a", "b", "a"} {
		w.Add(text)
	}
	if diff := cmp.Diff([]string{"a", "b"}, w.List()); diff != "" {
		t.Errorf("a text twice (-want +got):\n%s", diff)
	}
	for i := range 2 * maxWarnings {
		w.Add(strings.Repeat("x", i))
	}
	if got := w.List(); len(got) != maxWarnings || len(got[0]) != 2*maxWarnings-1 {
		t.Errorf("wanted the last %d, got %d", maxWarnings, len(got))
	}
}

func TestPostsFromElsewhereAreRefused(t *testing.T) {
	g := newRig(t)
	for name, row := range map[string]struct {
		header []string
		ok     bool
	}{
		"another site":                       {[]string{"Sec-Fetch-Site", "cross-site"}, false},
		"another port of this host":          {[]string{"Sec-Fetch-Site", "same-site"}, false},
		"another origin, in an old browser":  {[]string{"Origin", "https://evil.example"}, false},
		"a sandboxed frame":                  {[]string{"Origin", "null"}, false},
		"the page itself":                    {[]string{"Sec-Fetch-Site", "same-origin"}, true},
		"the page itself, in an old browser": {[]string{"Origin", g.server.URL}, true},
		"curl":                               {nil, true},
	} {
		for path, body := range map[string]string{"/clock": `{"advance": "1s"}`, "/faults": `{"preset": "exp-past"}`} {
			g.sim.ClearFaults()
			before := g.clock.Offset()
			got := g.send(http.MethodPost, path, body, row.header...)
			acted := g.clock.Offset() > before || strings.Contains(g.get("/").body, "The simulator lies")
			if acted != row.ok || (got.status == http.StatusForbidden) == row.ok {
				t.Errorf("%s, %s: wanted acted %v, got %v and %d", name, path, row.ok, acted, got.status)
			}
		}
	}
}

func TestOnlyLoopbackNames(t *testing.T) {
	g := newRig(t)
	for host, ok := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8081": true, "localhost": true, "localhost:8081": true, "LOCALHOST:1": true,
		"evil.example": false, "evil.example:8081": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"localhost.": false, "127.0.0.2": false, "0.0.0.0:8081": false, "10.0.0.1": false, "[::ffff:127.0.0.1]:8081": false,
	} {
		for _, path := range []string{"/", "/outbox.json", "/clock", "/workbench.css", "/nowhere"} {
			got := g.send(http.MethodGet, path, "", "Host", host)
			if (got.status != http.StatusForbidden) != ok {
				t.Errorf("%s%s: wanted answered %v, got %d", host, path, ok, got.status)
			}
		}
	}
}

func TestMethodsAndHeaders(t *testing.T) {
	g := newRig(t)
	for _, row := range []struct {
		method, path string
		want         int
	}{
		{http.MethodPut, "/clock", http.StatusMethodNotAllowed},
		{http.MethodGet, "/faults", http.StatusMethodNotAllowed},
		{http.MethodPost, "/outbox.json", http.StatusMethodNotAllowed},
		{http.MethodGet, "/nowhere", http.StatusNotFound},
	} {
		if got := g.send(row.method, row.path, ""); got.status != row.want {
			t.Errorf("%s %s: wanted %d, got %d", row.method, row.path, row.want, got.status)
		}
	}
	page := g.get("/")
	if found := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son\w+=|javascript:|(src|action)="http`).FindString(page.body); found != "" {
		t.Errorf("wanted nothing inline or from outside, got %q", found)
	}
	for _, once := range []string{"<h1>", "<title>", `<main id="main">`, `<html lang="en-GB">`} {
		if n := strings.Count(page.body, once); n != 1 {
			t.Errorf("%s: wanted 1, got %d", once, n)
		}
	}
	want := http.Header{
		"Content-Security-Policy": {"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
		"X-Content-Type-Options":  {"nosniff"}, "Referrer-Policy": {"same-origin"}, "Cache-Control": {"no-store"},
		"Content-Type": {"text/html; charset=utf-8"},
	}
	for name := range page.header {
		if _, asked := want[name]; !asked {
			page.header.Del(name)
		}
	}
	if diff := cmp.Diff(want, page.header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if css := g.get("/" + styleSheet); css.status != http.StatusOK || !strings.HasPrefix(css.header.Get("Content-Type"), "text/css") || strings.Contains(css.body, "url(") {
		t.Errorf("style: got %d", css.status)
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{Simulator: "http://127.0.0.1:8082"}); err == nil {
		t.Error("no clock: wanted an error, got none")
	}
	if _, err := New(Options{Clock: new(Clock)}); err == nil {
		t.Error("no simulator: wanted an error, got none")
	}
}

func FuzzReadForm(f *testing.F) {
	for _, seed := range []string{"", "{", "{}", `{"advance":"31m"}`, `{"advance":null}`, "advance=31m", "a=1&a=2", "a;b", "%zz", " {\"a\":\"b\"} "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, isJSON, err := readForm(strings.NewReader(body))
		switch {
		case err != nil && form["advance"] != "" && !isJSON:
			t.Error("a refused form was read")
		case err == nil && isJSON && !json.Valid([]byte(body)):
			t.Error("broken JSON was taken")
		case err == nil && !isJSON:
			if _, err := url.ParseQuery(body); err != nil {
				t.Error("a broken form was taken")
			}
		}
	})
}
