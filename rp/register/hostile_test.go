package register_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/register"
	"github.com/dilys-id/dilys/rp/register/pdsstandin"
)

const fhir = "application/fhir+json"

// TestHostileAnswers: what can't be believed is no entry, and no word of it is told.
func TestHostileAnswers(t *testing.T) {
	const head = `{"resourceType":"Patient","id":"9000000009",`
	const free = `"meta":{"security":[{"code":"U"}]}`
	for name, row := range map[string]struct {
		kind, body string
		failure    bool // of PDS as a whole, and not of one record
	}{
		"10 MB":                              {fhir, head + free + `,"x":"` + strings.Repeat("a", 10<<20) + `"}`, true},
		"HTML":                               {"text/html", "<html><script>alert(1)</script></html>", true},
		"HTML that says it is FHIR":          {fhir, "<html><script>alert(1)</script></html>", true},
		"FHIR that says it is HTML":          {"text/html", head + free + `}`, true},
		"nothing":                            {fhir, "", true},
		"null":                               {fhir, "null", true},
		"a list":                             {fhir, "[" + head + free + "}]", true},
		"two patients, one behind the other": {fhir, head + free + "}" + head + free + "}", true},
		"cut off":                            {fhir, head + free, true},
		"no UTF-8":                           {fhir, head + free + ",\"name\":\"\xff\"}", true},
		"a thousand deep":                    {fhir, head + free + `,"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}", true},
		"id twice":                           {fhir, `{"resourceType":"Patient","id":"9000000009","id":"9434765919",` + free + "}", true},
		"id twice, one escaped":              {fhir, `{"resourceType":"Patient","id":"9000000009","\u0069d":"9434765919",` + free + "}", true},
		"a label twice":                      {fhir, head + `"meta":{"security":[{"code":"R","code":"U"}]}}`, true},
		"another resource":                   {fhir, `{"resourceType":"Person","id":"9000000009",` + free + "}", false},
		"no resource type":                   {fhir, `{"id":"9000000009",` + free + "}", false},
		"a resource type in capitals":        {fhir, `{"RESOURCETYPE":"Patient","id":"9000000009",` + free + "}", false},
		"no id":                              {fhir, `{"resourceType":"Patient",` + free + "}", false},
		"an id that is no NHS number":        {fhir, `{"resourceType":"Patient","id":"9000000008",` + free + "}", false},
		"an id with gaps":                    {fhir, `{"resourceType":"Patient","id":"900 000 0009",` + free + "}", false},
		"an id that is a number":             {fhir, `{"resourceType":"Patient","id":9000000009,` + free + "}", false},
		"another number in the identifier":   {fhir, head + `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9434765919"}],` + free + "}", false},
		"a bundle of two patients":           {fhir, `{"resourceType":"Bundle","entry":[{"resource":` + head + free + `}},{"resource":` + head + free + `}}]}`, false},
		"name as an object":                  {fhir, head + free + `,"name":{"use":"usual","family":"Prawf"}}`, false},
		"names as texts":                     {fhir, head + free + `,"name":["Prawf"]}`, false},
		"a family name as a list":            {fhir, head + free + `,"name":[{"use":"usual","family":["Prawf"]}]}`, false},
		"a given name as a text":             {fhir, head + free + `,"name":[{"use":"usual","family":"Prawf","given":"Mair"}]}`, false},
		"a birth date as a number":           {fhir, head + free + `,"birthDate":1980}`, false},
		"labels as an object":                {fhir, head + `"meta":{"security":{"code":"U"}}}`, false},
		"meta as a list":                     {fhir, head + `"meta":[]}`, false},
		"a death that is a number":           {fhir, head + free + `,"deceasedDateTime":2020}`, false},
		"a death that is a text":             {fhir, head + free + `,"deceasedBoolean":"true"}`, false},
		"a period as a text":                 {fhir, head + free + `,"telecom":[{"system":"phone","use":"mobile","value":"07700900123","period":"2020"}]}`, false},
		"an outcome in place of a patient":   {fhir, `{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"code":"<script>"}]}}]}`, true},
		"not found, but with status 200":     {fhir, `{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"code":"RESOURCE_NOT_FOUND"}]}}]}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Refresh(t.Context())
			r.pds.SetFaults(pdsstandin.Fault{Endpoint: pdsstandin.Patient, Type: row.kind, Body: row.body})
			e, err := r.Entry(t.Context(), sian.NHSNumber)
			r.want("unavailable", err)
			if e != (identity.Entry{}) {
				t.Error("wanted no entry beside an error")
			}
			if failed := r.Health().State != register.OK; failed != row.failure {
				t.Errorf("wanted a failure of PDS %v, got %+v", row.failure, r.Health())
			}
		})
	}
}

// TestHostileSearch: a search finds one patient, who was asked for.
func TestHostileSearch(t *testing.T) {
	other := entry("9990000042", "Arall", "Siarl", "1999-09-09", "CF14 4XW")
	for name, alter := range map[string]func(map[string]any){
		"two patients": func(b map[string]any) { b["entry"] = append(b["entry"].([]any), b["entry"].([]any)[0]) },
		"two patients, uncounted": func(b map[string]any) {
			delete(b, "total")
			b["entry"] = append(b["entry"].([]any), b["entry"].([]any)[0])
		},
		"more than it shows":        func(b map[string]any) { b["total"] = 2 },
		"another resource":          func(b map[string]any) { resource(b)["resourceType"] = "RelatedPerson" },
		"a patient, and no Bundle":  func(b map[string]any) { b["resourceType"] = "Patient" },
		"someone born another day":  func(b map[string]any) { resource(b)["birthDate"] = other.BirthDate.Reveal() },
		"someone whose day is shut": func(b map[string]any) { delete(resource(b), "birthDate") },
		"no resource":               func(b map[string]any) { delete(b["entry"].([]any)[0].(map[string]any), "resource") },
		"entry as an object":        func(b map[string]any) { b["entry"] = b["entry"].([]any)[0] },
		"a protected one, whole": func(b map[string]any) {
			resource(b)["meta"] = map[string]any{"security": []any{map[string]any{"code": "R"}}}
		},
		"one without a label, whole": func(b map[string]any) { delete(resource(b), "meta") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.pds.Alter(alter)
			_, err := r.Search(t.Context(), details(sian), sian.Postcode)
			want := "unavailable"
			if strings.HasSuffix(name, "whole") {
				want = "not found"
			}
			r.want(want, err)
		})
	}
}

func resource(bundle map[string]any) map[string]any {
	return bundle["entry"].([]any)[0].(map[string]any)["resource"].(map[string]any)
}

// TestAnothersAnswer: PDS mirrors our X-Request-ID; an answer with another is one to
// another question, about another patient.
func TestAnothersAnswer(t *testing.T) {
	r := newRig(t)
	r.pds.SetFaults(pdsstandin.Fault{Endpoint: pdsstandin.Patient, RequestID: "11111111-2222-4333-8444-555555555555"})
	_, err := r.Entry(t.Context(), sian.NHSNumber)
	r.want("unavailable", err)
}

// TestRedirects are followed nowhere: the number stands in the address, and the
// access token in the header.
func TestRedirects(t *testing.T) {
	var came atomic.Int32
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	defer collector.Close()
	for _, endpoint := range []string{pdsstandin.Token, pdsstandin.Patient, pdsstandin.Search} {
		r := newRig(t)
		r.pds.SetFaults(pdsstandin.Fault{Endpoint: endpoint, Location: collector.URL})
		_, byNumber := r.Entry(t.Context(), sian.NHSNumber)
		_, bySearch := r.Search(t.Context(), details(sian), sian.Postcode)
		if byNumber == nil && bySearch == nil {
			t.Errorf("%s: wanted a refusal", endpoint)
		}
		r.wantSilence(byNumber, bySearch)
	}
	if n := came.Load(); n != 0 {
		t.Errorf("the redirect's target: wanted no request, got %d", n)
	}
}

// TestBrokenWays: whatever the network says, no address is told.
func TestBrokenWays(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
		"speaks something else": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_, _ = io.WriteString(conn, "<script>no HTTP</script>\r\n\r\n")
				_ = conn.Close()
			}
		},
		"never answers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"ends in between": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
					if strings.Contains(q.URL.Path, "/Patient") {
						serve(w, q)
						return
					}
					next.ServeHTTP(w, q)
				})
			})
			r.Refresh(t.Context())
			if name == "never answers" {
				r.SetWithin(30 * time.Millisecond)
			}
			_, err := r.Entry(t.Context(), sian.NHSNumber)
			r.want("unavailable", err)
			if h := r.Health(); h.State != register.Slow {
				t.Errorf("wanted a failure noted, got %+v", h)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		r := newRig(t)
		r.server.Close()
		_, err := r.Entry(t.Context(), sian.NHSNumber)
		r.want("unavailable", err)
	})
	t.Run("an address of this machine, unless allowed", func(t *testing.T) {
		l := must(net.Listen("tcp", "127.0.0.1:0"))
		defer func() { _ = l.Close() }()
		r := newRig(t)
		o := r.opt
		o.URL, o.LoopbackHTTP = "https://"+l.Addr().String()+"/FHIR/R4", false
		p := must(register.New(o))
		defer p.Close()
		_, err := p.Entry(t.Context(), sian.NHSNumber)
		r.want("unavailable", err)
		if !strings.Contains(err.Error(), "loopback") {
			t.Errorf("wanted a refusal of the address, got %v", err)
		}
	})
}

// TestBreaker: after three failures nobody waits, one asks every five seconds, and
// an answer closes it.
func TestBreaker(t *testing.T) {
	r := newRig(t)
	if h := r.Health(); h.State != register.Unknown || h.Fault != "" {
		t.Errorf("before anyone asked: got %+v", h)
	}
	r.Refresh(t.Context())
	r.wantState(register.OK, "after a look")
	r.pds.SetFaults(pdsstandin.Fault{Endpoint: pdsstandin.Patient, Status: 403, Code: "ACCESS_DENIED"})
	ask := func(want string) {
		t.Helper()
		_, err := r.Entry(t.Context(), sian.NHSNumber)
		r.want(want, err)
		r.advance(time.Second)
	}
	ask("unavailable")
	r.wantState(register.Slow, "after one failure")
	ask("unavailable")
	ask("unavailable")
	r.wantState(register.Down, "after three")
	ask("unavailable") // the probe
	before := r.asked(pdsstandin.Patient)
	for range 4 {
		ask("unavailable")
	}
	if n := r.asked(pdsstandin.Patient); n != before {
		t.Errorf("while it is open: wanted no question, got %d", n-before)
	}
	r.advance(-time.Hour)
	ask("unavailable")
	if n := r.asked(pdsstandin.Patient); n != before+1 {
		t.Errorf("after the clock was set back: wanted a question, got %d", n-before)
	}
	r.advance(2 * time.Hour)
	granted := r.asked(pdsstandin.Token)
	ask("unavailable") // the next probe
	if n := r.asked(pdsstandin.Token); n != granted+1 {
		t.Errorf("wanted another access token, got %d", n-granted)
	}
	r.wantState(register.Down, "an access token says nothing about questions")
	r.advance(5 * time.Second)
	r.pds.SetFaults()
	ask("found")
	r.wantState(register.OK, "after an answer")
	for _, state := range []string{"state=ok", "state=slow", "state=down"} {
		if !strings.Contains(r.log.String(), state) {
			t.Errorf("the log: wanted %s, got %s", state, r.log.String())
		}
	}
}

func (r *rig) wantState(want register.State, when string) {
	r.Helper()
	if h := r.Health(); h.State != want || (want == register.OK) != (h.Fault == "") || strings.Contains(h.Fault, "\n") {
		r.Errorf("%s: wanted %s, got %+v", when, want, h)
	}
}

// TestDownAtStart: a register without a token endpoint comes back by itself.
func TestDownAtStart(t *testing.T) {
	r := newRig(t)
	r.pds.SetFaults(pdsstandin.Fault{Endpoint: pdsstandin.Token, Status: 503})
	for range 6 {
		r.Refresh(t.Context())
		r.advance(time.Second)
	}
	r.wantState(register.Down, "at the start")
	if n := r.asked(pdsstandin.Token); n != 2 {
		t.Errorf("wanted a look every five seconds, got %d in six", n)
	}
	r.pds.SetFaults()
	r.advance(5 * time.Second)
	r.Refresh(t.Context())
	r.wantState(register.OK, "when it is back")
	calls := len(r.pds.Calls())
	r.Refresh(t.Context())
	if n := len(r.pds.Calls()); n != calls {
		t.Error("a look while all is well costs nothing")
	}
}

// TestPatientWhoLeaves is no failure of PDS's, and takes nobody's access token away.
func TestPatientWhoLeaves(t *testing.T) {
	var leave atomic.Pointer[context.CancelFunc]
	r := newRig(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if cancel := leave.Load(); cancel != nil { // while PDS is about to answer
				(*cancel)()
				<-q.Context().Done()
				return
			}
			next.ServeHTTP(w, q)
		})
	})
	r.Refresh(t.Context())
	for range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		leave.Store(&cancel)
		_, err := r.Entry(ctx, sian.NHSNumber)
		r.want("unavailable", err)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("wanted the reason beside it, got %v", err)
		}
	}
	r.wantState(register.OK, "after four who left")
	leave.Store(nil)
	_, err := r.Entry(t.Context(), sian.NHSNumber)
	r.want("found", err)
}

// TestWhoLeavesTakesNoTokenAway: the access token that one patient's question fetches
// is everybody's.
func TestWhoLeavesTakesNoTokenAway(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == "/oauth2/token" {
				close(began) // a second fetch would panic here
				<-release
			}
			next.ServeHTTP(w, q)
		})
	})
	ctx, leave := context.WithCancel(t.Context())
	left, stayed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := r.Entry(ctx, sian.NHSNumber); left <- err }()
	<-began
	go func() { _, err := r.Entry(t.Context(), sian.NHSNumber); stayed <- err }()
	leave()
	r.want("unavailable", <-left)
	close(release)
	r.want("found", <-stayed)
}

// TestSlow: an answer that came late is one, and operators hear of it.
func TestSlow(t *testing.T) {
	r := newRig(t)
	r.pds.Alter(func(map[string]any) { r.advance(4 * time.Second) })
	_, err := r.Entry(t.Context(), sian.NHSNumber)
	r.want("found", err)
	r.wantState(register.Slow, "after an answer of four seconds")
}
