package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/identity/token/guard"
	"github.com/dilys-id/dilys/identity/token/guard/guardtest"
)

const audience = "https://api.example"

// hello says whom it was called for.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, guard.From(r.Context()).Subject) })

func TestRequire(t *testing.T) {
	strong := guardtest.Patient{Trust: "P9.Cm"}
	for name, row := range map[string]struct {
		patient   guardtest.Patient
		header    func(raw string) []string
		later     time.Duration
		status    int
		challenge string // part of it
	}{
		"strong and fresh":             {patient: strong, status: 200},
		"a key where a code is enough": {patient: guardtest.Patient{Trust: "P9.Cp.Ck"}, status: 200},
		"ten minutes old":              {patient: guardtest.Patient{Trust: "P9.Cm", Proved: 10 * time.Minute}, status: 200},
		"in another spelling":          {patient: strong, header: func(raw string) []string { return []string{"bearer  " + raw} }, status: 200},
		"too old":                      {patient: guardtest.Patient{Trust: "P9.Cm", Proved: 10*time.Minute + time.Second}, status: 401, challenge: `error="insufficient_user_authentication", error_description="a fresher or stronger log-in is needed", acr_values="P9.Cp.Cd P9.Cm", max_age="600"`},
		"grew old meanwhile":           {patient: guardtest.Patient{Trust: "P9.Cm", Proved: 9 * time.Minute}, later: 2 * time.Minute, status: 401, challenge: "insufficient_user_authentication"},
		"a password alone":             {patient: guardtest.Patient{Trust: "P9.Cp"}, status: 401, challenge: "insufficient_user_authentication"},
		"proved less":                  {patient: guardtest.Patient{Trust: "P5.Cm"}, status: 401, challenge: "insufficient_user_authentication"},
		"for another audience":         {patient: guardtest.Patient{Audience: "https://other.example"}, status: 401, challenge: `error="invalid_token"`},
		"expired":                      {patient: strong, later: 3 * time.Minute, status: 401, challenge: `error="invalid_token"`},
		"no token":                     {header: func(string) []string { return nil }, status: 401, challenge: `Bearer realm="dilys"`},
		"another scheme":               {header: func(raw string) []string { return []string{"Basic " + raw} }, status: 401, challenge: `Bearer realm="dilys"`},
		"two tokens":                   {header: func(raw string) []string { return []string{"Bearer " + raw, "Bearer " + raw} }, status: 401, challenge: `Bearer realm="dilys"`},
		"garbage":                      {header: func(string) []string { return []string{"Bearer x"} }, status: 401, challenge: `error="invalid_token"`},
		"a character less":             {header: func(raw string) []string { return []string{"Bearer " + raw[:len(raw)-1]} }, status: 401, challenge: `error="invalid_token"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := guardtest.New(t)
			h := d.Guard(audience).Require(guard.Vectors("P9.Cp.Cd", "P9.Cm"), 10*time.Minute, hello)
			raw := d.Token(row.patient)
			d.Advance(row.later)
			for _, again := range []string{"first", "again"} { // the second time it is remembered
				r := httptest.NewRequest(http.MethodGet, "/results/", nil)
				r.Header["Authorization"] = []string{"Bearer " + raw}
				if row.header != nil {
					r.Header["Authorization"] = row.header(raw)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != row.status || !strings.Contains(w.Header().Get("WWW-Authenticate"), row.challenge) {
					t.Errorf("%s: wanted %d %s, got %d %s", again, row.status, row.challenge, w.Code, w.Header().Get("WWW-Authenticate"))
				}
				if (w.Body.String() == "patient") != (row.status == 200) {
					t.Errorf("%s: got %s", again, w.Body)
				}
				if row.status != 200 && !json.Valid(w.Body.Bytes()) {
					t.Errorf("%s: wanted JSON, got %s", again, w.Body)
				}
			}
		})
	}
}

func TestNoVectorsOpenNothing(t *testing.T) {
	d := guardtest.New(t)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+d.Token(guardtest.Patient{Trust: "P9.Cm"}))
	d.Guard(audience).Require(nil, 0, hello).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("wanted 401, got %d", w.Code)
	}
}

func TestABrowserIsSentToTheLogin(t *testing.T) {
	d := guardtest.New(t)
	g := d.Guard(audience, guard.LoginAt("/login"), guard.TokenFrom(func(r *http.Request) string { return r.Header.Get("Kept") }))
	h := g.Require(guard.Vectors("P9.Cm"), 5*time.Minute, hello)
	for name, row := range map[string]struct {
		method, target string
		headers        map[string]string
		to             string
	}{
		"a page":                {"GET", "/results/?id=1", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, "/login?acr_values=P9.Cm&max_age=300&return_to=%2Fresults%2F%3Fid%3D1"},
		"a page, too weak":      {"GET", "/results/", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Kept": d.Token(guardtest.Patient{})}, "/login?acr_values=P9.Cm&max_age=300&return_to=%2Fresults%2F"},
		"an old browser":        {"GET", "/results/", map[string]string{"Accept": "text/html,*/*"}, "/login?acr_values=P9.Cm&max_age=300&return_to=%2Fresults%2F"},
		"a path of another":     {"GET", "//evil.example/", map[string]string{"Accept": "text/html"}, "/login?acr_values=P9.Cm&max_age=300"},
		"a script":              {"GET", "/results/", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"}, ""},
		"a frame":               {"GET", "/results/", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, ""},
		"a form":                {"POST", "/results/", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, ""},
		"an application's call": {"GET", "/results/", map[string]string{"Accept": "application/json"}, ""},
	} {
		r := httptest.NewRequest(row.method, "http://portal.example"+row.target, nil)
		r.URL.Host, r.URL.Scheme = "", ""
		for header, v := range row.headers {
			r.Header.Set(header, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != row.to || (w.Code == http.StatusSeeOther) != (row.to != "") {
			t.Errorf("%s: wanted %q, got %d %q", name, row.to, w.Code, got)
		}
	}
}

// dilys is a small server of metadata and keys.
type dilys struct {
	*httptest.Server
	keys, asked atomic.Int32
	document    atomic.Pointer[string]
	away        atomic.Bool
}

func newDilys(t *testing.T, played *guardtest.Dilys) *dilys {
	d := &dilys{}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		d.asked.Add(1)
		if d.away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = fmt.Fprint(w, *d.document.Load())
	})
	mux.HandleFunc("/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		d.keys.Add(1)
		_, _ = w.Write(played.JWKS())
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	d.says(d.URL, d.URL+"/jwks.json")
	return d
}

func (d *dilys) says(issuer, jwks string) {
	text := fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, jwks)
	d.document.Store(&text)
}

func TestKeysAreFetchedOnceAndServeOn(t *testing.T) {
	played := guardtest.New(t)
	d := newDilys(t, played)
	raw := played.Token(guardtest.Patient{Issuer: d.URL})
	g := guard.New(d.URL, audience)
	for range 5 {
		if _, err := g.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if d.keys.Load() != 1 {
		t.Errorf("wanted the keys fetched once, got %d", d.keys.Load())
	}
	d.away.Store(true)
	if _, err := g.Verify(t.Context(), played.Token(guardtest.Patient{Issuer: d.URL})); err != nil {
		t.Errorf("while Dilys is away: %v", err)
	}
}

func TestWithoutKeysNothingIsJudged(t *testing.T) {
	played := guardtest.New(t)
	for name, change := range map[string]func(*dilys){
		"away":                  func(d *dilys) { d.away.Store(true) },
		"metadata of another":   func(d *dilys) { d.says("https://evil.example", d.URL+"/jwks.json") },
		"keys of another":       func(d *dilys) { d.says(d.URL, "https://evil.example/jwks.json") },
		"metadata that is none": func(d *dilys) { text := "<html>"; d.document.Store(&text) },
	} {
		d := newDilys(t, played)
		change(d)
		g := guard.New(d.URL, audience)
		if err := g.Ready(t.Context()); err == nil {
			t.Errorf("%s: wanted a fault", name)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+played.Token(guardtest.Patient{Issuer: d.URL, Trust: "P9.Cm"}))
		w := httptest.NewRecorder()
		g.Require(guard.Vectors("P9.Cm"), 0, hello).ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: wanted 503, got %d", name, w.Code)
		}
	}
}

// A key that leaked and was withdrawn stops, for tokens seen before too.
func TestAWithdrawnKeyStops(t *testing.T) {
	d := guardtest.New(t)
	g, raw := d.Guard(audience), d.Token(guardtest.Patient{})
	if _, err := g.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	d.Withdraw()
	if _, err := g.Verify(t.Context(), raw); !errors.Is(err, token.ErrRefused) {
		t.Errorf("wanted it refused, got %v", err)
	}
	if _, err := g.Verify(t.Context(), d.Token(guardtest.Patient{})); err != nil {
		t.Errorf("a token by the new key: %v", err)
	}
}

func TestATokenSeenBeforeCostsALookUp(t *testing.T) {
	d := guardtest.New(t)
	g, raw, ctx := d.Guard(audience), d.Token(guardtest.Patient{}), t.Context()
	if _, err := g.Verify(ctx, raw); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := g.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("wanted no allocation, got %v", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	d := guardtest.New(b)
	raw, ctx := d.Token(guardtest.Patient{}), context.Background()
	b.Run("seen before", func(b *testing.B) {
		g := d.Guard(audience)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first sight", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := d.Guard(audience).Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
