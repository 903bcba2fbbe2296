package register_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/register"
	"github.com/dilys-id/dilys/rp/register/pdsstandin"
)

// protectedOf is what may be told of a protected patient.
func protectedOf(e identity.Entry) identity.Entry {
	e.Mobile, e.Landline, e.Email, e.Postcode, e.Practice = identity.Phone{}, identity.Phone{}, identity.Email{}, identity.Postcode{}, ""
	e.Protected = true
	return e
}

func TestEntry(t *testing.T) {
	all := everyone()
	moved := all[4]
	moved.Practice = ""
	nameless := protectedOf(hidden)
	nameless.FamilyName, nameless.GivenName = identity.Name{}, identity.Name{}
	r := newRig(t)
	for name, row := range map[string]struct {
		ask  identity.NHSNumber
		mark string
		want identity.Entry
		err  string
	}{
		"a patient":                       {ask: sian.NHSNumber, want: all[0]},
		"superseded: the new entry":       {ask: superseded, want: all[0]},
		"restricted":                      {ask: hidden.NHSNumber, want: protectedOf(hidden)},
		"very restricted":                 {ask: hidden.NHSNumber, mark: "V", want: nameless},
		"a label of later days":           {ask: sian.NHSNumber, mark: "X", want: protectedOf(all[0])},
		"redacted, though it never is":    {ask: sian.NHSNumber, mark: "REDACTED", want: identity.Entry{NHSNumber: sian.NHSNumber, Standing: identity.Invalidated}},
		"hardly anything known":           {ask: bare.NHSNumber, want: bare},
		"died":                            {ask: gone.NHSNumber, want: all[3]},
		"moved to Scotland":               {ask: away.NHSNumber, want: moved},
		"invalidated":                     {ask: nobodys.NHSNumber, want: identity.Entry{NHSNumber: nobodys.NHSNumber, Standing: identity.Invalidated}},
		"unknown":                         {ask: stranger, err: "not found"},
		"no number, which is never asked": {err: "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			r.advance(time.Second)
			if row.mark != "" {
				r.pds.Mark(row.ask, row.mark)
				defer r.pds.Mark(row.ask, "")
			}
			got, err := r.Entry(t.Context(), row.ask)
			if row.err != "" || err != nil {
				r.want(row.err, err)
				return
			}
			if got != row.want {
				t.Errorf("wanted the entry as it stands, got another: %s", differing(row.want, got))
			}
		})
	}
	for _, c := range r.pds.Calls() {
		if c.Status == http.StatusBadRequest {
			t.Error("asked for no number")
		}
	}
	r.wantSilence()
}

// differing names the fields that differ.
func differing(want, got identity.Entry) string {
	var fields []string
	for name, same := range map[string]bool{
		"number": want.NHSNumber == got.NHSNumber, "family": want.FamilyName == got.FamilyName, "former": want.FormerFamilyName == got.FormerFamilyName,
		"given": want.GivenName == got.GivenName, "birth": want.BirthDate == got.BirthDate, "mobile": want.Mobile == got.Mobile,
		"landline": want.Landline == got.Landline, "email": want.Email == got.Email, "postcode": want.Postcode == got.Postcode,
		"practice": want.Practice == got.Practice, "standing": want.Standing == got.Standing, "protected": want.Protected == got.Protected,
	} {
		if !same {
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

// TestRequests looks at what PDS is told of who asks.
func TestRequests(t *testing.T) {
	r := newRig(t)
	o := r.opt
	o.Organisation = "W95010"
	p := must(register.New(o))
	defer p.Close()
	for range 2 {
		_, err := p.Entry(t.Context(), sian.NHSNumber)
		r.want("found", err)
		r.advance(time.Second)
	}
	seen := map[string]bool{}
	for _, c := range r.pds.Calls() {
		if c.Endpoint != pdsstandin.Patient {
			continue
		}
		if seen[c.RequestID] || c.Header.Get("Accept") != "application/fhir+json" || c.Header.Get("NHSD-End-User-Organisation-ODS") != "W95010" {
			t.Errorf("headers: got %v", c.Header)
		}
		seen[c.RequestID] = true
	}
	if len(seen) != 2 {
		t.Errorf("X-Request-ID: wanted one for each question, got %d", len(seen))
	}
}

func TestSearch(t *testing.T) {
	twin := entry("9990000042", "Prawf", "Sioned", "1980-02-29", "CF14 4XW") // another Si…, of the same day and city
	for name, row := range map[string]struct {
		typed    identity.Details
		postcode string
		twins    bool
		want     string
		asked    int
	}{
		"the details of the entry":              {details(sian), "CF10 1AA", false, "found", 1},
		"moved within the city":                 {details(sian), "CF24 1AA", false, "found", 1},
		"a short form of the given name":        {named(sian, "Prawf", "Siâ"), "CF10 1AA", false, "found", 1},
		"the family name before":                {named(sian, "Hen", "Siân"), "CF10 1AA", false, "found", 1},
		"another given name":                    {named(sian, "Prawf", "Mari"), "CF10 1AA", false, "not found", 1},
		"another city":                          {details(sian), "LS1 6AE", false, "not found", 1},
		"a restricted patient, by postcode":     {details(hidden), "LL57 2DG", false, "not found", 1},
		"an invalidated number":                 {details(nobodys), "LS1 6AE", false, "not found", 1},
		"two in the city, one at the postcode":  {named(sian, "Prawf", "Si"), "CF10 1AA", true, "found", 2},
		"two in the city, none at the postcode": {named(sian, "Prawf", "Si"), "CF11 9LJ", true, "not found", 2},
		"a wildcard for a family name":          {named(sian, "Pr*", "Siân"), "CF10 1AA", false, "not found", 0},
		"a wildcard for a given name":           {named(sian, "Prawf", "*"), "CF10 1AA", false, "not found", 0},
		"no postcode":                           {details(sian), "", false, "not found", 0},
		"no birth date":                         {identity.Details{FamilyName: sian.FamilyName, GivenName: sian.GivenName}, "CF10 1AA", false, "not found", 0},
		"no given name":                         {identity.Details{FamilyName: sian.FamilyName, BirthDate: sian.BirthDate}, "CF10 1AA", false, "not found", 0},
		"no family name":                        {identity.Details{GivenName: sian.GivenName, BirthDate: sian.BirthDate}, "CF10 1AA", false, "not found", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if row.twins {
				r.pds.Put(twin)
			}
			var postcode identity.Postcode
			if row.postcode != "" {
				postcode = must(identity.ParsePostcode(row.postcode))
			}
			got, err := r.Search(t.Context(), row.typed, postcode)
			r.want(row.want, err)
			if err == nil && got.NHSNumber != sian.NHSNumber {
				t.Error("found somebody else")
			}
			if n := r.asked(pdsstandin.Search); n != row.asked {
				t.Errorf("wanted %d questions, got %d", row.asked, n)
			}
		})
	}
}

func named(e identity.Entry, family, given string) identity.Details {
	d := details(e)
	d.FamilyName, d.GivenName = must(identity.ParseName(family)), must(identity.ParseName(given))
	return d
}

// TestSearchRecipe is the recipe that PDS gives for one unique match.
func TestSearchRecipe(t *testing.T) {
	r := newRig(t)
	_, err := r.Search(t.Context(), named(sian, "O’Prawf", "Siân Mair"), must(identity.ParsePostcode("cf101aa")))
	r.want("not found", err)
	for _, c := range r.pds.Calls() {
		want := url.Values{
			"family": {"O'Prawf"}, "given": {"Siâ*"}, "birthdate": {"eq1980-02-29"}, "address-postalcode": {"CF*"}, "_history": {"true"}, "_max-results": {"1"},
		}
		if c.Endpoint == pdsstandin.Search && c.Query.Encode() != want.Encode() {
			t.Errorf("wanted %v, got %v", want, c.Query)
		}
	}
	r.pds.Put(entry("9990000042", "Prawf", "Siarl", "1980-02-29", "CF14 4XW"))
	_, err = r.Search(t.Context(), named(sian, "Prawf", "Si"), sian.Postcode)
	r.want("found", err)
	calls := r.pds.Calls()
	if last := calls[len(calls)-1].Query; last.Get("address-postalcode") != "CF10 1AA" || last.Get("given") != "Si*" {
		t.Errorf("the narrower search: got %v", last)
	}
}

// TestHoldersAreNotKnown: PDS can't be asked by contact, and is not.
func TestHoldersAreNotKnown(t *testing.T) {
	r := newRig(t)
	n, known, err := r.Holders(t.Context(), sian.Email.Contact(), start)
	if n != 0 || known || err != nil || len(r.pds.Calls()) != 0 {
		t.Errorf("got %d %v %v after %d requests", n, known, err, len(r.pds.Calls()))
	}
}

// TestRetries is what becomes of an answer that says "later", or of none.
func TestRetries(t *testing.T) {
	const patient = pdsstandin.Patient
	for name, row := range map[string]struct {
		fault pdsstandin.Fault
		want  string
		asked int
		slept time.Duration
	}{
		"429 once, for a second":         {pdsstandin.Fault{Times: 1, Status: 429, Code: "TOO_MANY_REQUESTS", RetryAfter: "1"}, "found", 2, time.Second},
		"429 once, without a time":       {pdsstandin.Fault{Times: 1, Status: 429, Code: "TOO_MANY_REQUESTS"}, "found", 2, time.Second},
		"429 once, a date":               {pdsstandin.Fault{Times: 1, Status: 429, RetryAfter: start.Add(3 * time.Second).Format(http.TimeFormat)}, "found", 2, 3 * time.Second},
		"429 once, longer than we wait":  {pdsstandin.Fault{Times: 1, Status: 429, RetryAfter: "30"}, "unavailable", 1, 0},
		"429 once, for ever":             {pdsstandin.Fault{Times: 1, Status: 429, RetryAfter: "2147483647"}, "unavailable", 1, 0},
		"429 once, nonsense":             {pdsstandin.Fault{Times: 1, Status: 429, RetryAfter: "<script>"}, "found", 2, time.Second},
		"429 again and again":            {pdsstandin.Fault{Status: 429, RetryAfter: "1"}, "unavailable", 2, time.Second},
		"408 once":                       {pdsstandin.Fault{Times: 1, Status: 408, Code: "UNABLE_TO_CALL_SERVICE"}, "found", 2, 200 * time.Millisecond},
		"408 twice":                      {pdsstandin.Fault{Times: 2, Status: 408, Code: "UNABLE_TO_CALL_SERVICE"}, "unavailable", 2, 200 * time.Millisecond},
		"500 once":                       {pdsstandin.Fault{Times: 1, Status: 500}, "found", 2, 200 * time.Millisecond},
		"500 twice":                      {pdsstandin.Fault{Times: 2, Status: 500}, "unavailable", 2, 200 * time.Millisecond},
		"503 that says when":             {pdsstandin.Fault{Times: 1, Status: 503, Code: "SERVICE_UNAVAILABLE", RetryAfter: "4"}, "found", 2, 4 * time.Second},
		"401 once: another access token": {pdsstandin.Fault{Times: 1, Status: 401, Code: "ACCESS_DENIED"}, "found", 2, 200 * time.Millisecond},
		"401 always":                     {pdsstandin.Fault{Status: 401, Code: "ACCESS_DENIED"}, "unavailable", 2, 200 * time.Millisecond},
		"403":                            {pdsstandin.Fault{Status: 403, Code: "ACCESS_DENIED"}, "unavailable", 1, 0},
		"404 of a gateway: wrong URL":    {pdsstandin.Fault{Status: 404, Type: "text/html", Body: "<h1>404</h1>"}, "unavailable", 1, 0},
		"404 with a code of its own":     {pdsstandin.Fault{Status: 404, Code: "NO_SUCH_PROXY"}, "unavailable", 1, 0},
		"400, no NHS number":             {pdsstandin.Fault{Status: 400, Code: "INVALID_RESOURCE_ID"}, "not found", 1, 0},
		"400, the request is at fault":   {pdsstandin.Fault{Status: 400, Code: "INVALID_VALUE"}, "unavailable", 1, 0},
		"204":                            {pdsstandin.Fault{Status: 204}, "unavailable", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			row.fault.Endpoint = patient
			r.pds.SetFaults(row.fault)
			_, err := r.Entry(t.Context(), sian.NHSNumber)
			r.want(row.want, err)
			ids := map[string]bool{}
			for _, c := range r.pds.Calls() {
				if c.Endpoint == patient {
					ids[c.RequestID] = true
				}
			}
			if n := r.asked(patient); n != row.asked || len(ids) != 1 {
				t.Errorf("wanted %d requests of one id, got %d of %d", row.asked, n, len(ids))
			}
			if well := r.Health().State == register.OK; well != (row.want != "unavailable" || row.fault.Status == 400) {
				t.Errorf("got %+v", r.Health())
			}
			if r.slept != row.slept {
				t.Errorf("wanted a wait of %s, got %s", row.slept, r.slept)
			}
		})
	}
}

// TestCallersDeadline: a Retry-After that the caller can't wait for is not waited
// for.
func TestCallersDeadline(t *testing.T) {
	r := newRig(t)
	r.pds.SetFaults(pdsstandin.Fault{Endpoint: pdsstandin.Patient, Times: 1, Status: 429, RetryAfter: "5"})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	_, err := r.Entry(ctx, sian.NHSNumber)
	r.want("unavailable", err)
	if r.slept != 0 {
		t.Errorf("wanted no wait, got %s", r.slept)
	}
	// The others are held back too, until PDS has said they may come.
	_, err = r.Entry(t.Context(), gone.NHSNumber)
	r.want("unavailable", err)
	r.advance(5 * time.Second)
	_, err = r.Entry(t.Context(), gone.NHSNumber)
	r.want("found", err)
	if n := r.asked(pdsstandin.Patient); n != 2 {
		t.Errorf("wanted 2 requests, got %d", n)
	}
}

// TestPace: five a second are kept, so that PDS, which counts, never has to refuse.
func TestPace(t *testing.T) {
	r := newRig(t)
	r.pds.SetPerSecond(5)
	for range 20 {
		_, err := r.Entry(t.Context(), sian.NHSNumber)
		r.want("found", err)
	}
	if n := r.asked(pdsstandin.Patient); n != 20 || r.slept != 19*200*time.Millisecond {
		t.Errorf("wanted 20 requests in 3.8 s, got %d in %s", n, r.slept)
	}
}

// TestQueue: who would wait longer than two seconds is told so at once, and that is
// no fault of PDS's.
func TestQueue(t *testing.T) {
	r := newRig(t)
	r.SetSleep(func(context.Context, time.Duration) error { return nil }) // nobody's wait moves the clock: all come at once
	count := map[string]int{}
	for range 20 {
		_, err := r.Entry(t.Context(), stranger)
		count[verdict(err)]++
		r.wantSilence(err)
	}
	if count["not found"] != 11 || count["unavailable"] != 9 {
		t.Errorf("wanted 11 answers and 9 refusals, got %v", count)
	}
	r.wantState(register.OK, "with a full queue of ours")
	r.advance(-24 * time.Hour) // a clock that is set back shuts nobody out
	_, err := r.Entry(t.Context(), stranger)
	r.want("not found", err)
}

// TestFiftyAtOnce: all callers share one access token, and one turn is given to each.
func TestFiftyAtOnce(t *testing.T) {
	r := newRig(t)
	r.SetSleep(func(context.Context, time.Duration) error { return nil })
	r.pds.SetFaults(pdsstandin.Fault{Endpoint: pdsstandin.Token, Delay: 20 * time.Millisecond})
	var all sync.WaitGroup
	var mu sync.Mutex
	count := map[string]int{}
	for range 50 {
		all.Go(func() {
			_, err := r.Entry(t.Context(), sian.NHSNumber)
			mu.Lock()
			defer mu.Unlock()
			count[verdict(err)]++
		})
	}
	all.Wait()
	if count["found"] != 11 || count["unavailable"] != 39 {
		t.Errorf("wanted 11 turns in two seconds and 39 refusals, got %v", count)
	}
	if n := r.asked(pdsstandin.Token); n != 1 {
		t.Errorf("access tokens: wanted 1, got %d", n)
	}
}

// TestAccessToken is RFC 7523 with the stand-in as judge, and what the token's
// answer may be.
func TestAccessToken(t *testing.T) {
	t.Run("kept until shortly before its end", func(t *testing.T) {
		r := newRig(t)
		for i, row := range []struct {
			pass time.Duration
			want int
		}{{0, 1}, {9 * time.Minute, 1}, {40 * time.Second, 2}} {
			r.advance(row.pass)
			_, err := r.Entry(t.Context(), sian.NHSNumber)
			r.want("found", err)
			if n := r.asked(pdsstandin.Token); n != row.want {
				t.Errorf("%d: wanted %d access tokens, got %d", i, row.want, n)
			}
		}
	})
	t.Run("revoked there: another is fetched once", func(t *testing.T) {
		r := newRig(t)
		for range 2 {
			_, err := r.Entry(t.Context(), sian.NHSNumber)
			r.want("found", err)
			r.pds.RevokeTokens()
		}
		if n := r.asked(pdsstandin.Token); n != 2 {
			t.Errorf("wanted 2 access tokens, got %d", n)
		}
	})
	for name, body := range map[string]string{
		"none":                     `{"token_type":"Bearer","expires_in":"599"}`,
		"of another type":          `{"access_token":"a","token_type":"mac"}`,
		"with a line end":          `{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}`,
		"too long":                 `{"access_token":"` + strings.Repeat("a", 9<<10) + `","token_type":"Bearer"}`,
		"twice":                    `{"access_token":"a","access_token":"b","token_type":"Bearer"}`,
		"a number":                 `{"access_token":1,"token_type":"Bearer"}`,
		"under a name like it":     `{"Access_Token":"a","token_type":"Bearer"}`,
		"in what is no JSON":       `<html>`,
		"with something behind it": `{"access_token":"a","token_type":"Bearer"} {}`,
	} {
		t.Run("access token: "+name, func(t *testing.T) {
			r := newRig(t)
			r.pds.SetFaults(pdsstandin.Fault{Endpoint: pdsstandin.Token, Type: "application/json", Body: body})
			_, err := r.Entry(t.Context(), sian.NHSNumber)
			r.want("unavailable", err)
			if n := r.asked(pdsstandin.Patient); n != 0 || !strings.Contains(fmt.Sprint(err), "access token: ") {
				t.Errorf("wanted no question without an access token, got %d: %v", n, err)
			}
		})
	}
	t.Run("our key is not the registered one", func(t *testing.T) {
		r := newRig(t)
		o := r.opt
		other := o.Key.WithKeyID("another")
		o.Key = &other
		p := must(register.New(o))
		defer p.Close()
		_, err := p.Entry(t.Context(), sian.NHSNumber)
		r.want("unavailable", err)
		if !strings.Contains(fmt.Sprint(err), "401 invalid_client") {
			t.Errorf("wanted the platform's word for it, got %v", err)
		}
	})
}

func TestNewTellsEveryFault(t *testing.T) {
	r := newRig(t)
	es256 := must(token.ParseSigningKey(pem.EncodeToMemory(&pem.Block{
		Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))),
	})))
	unnamed := r.opt.Key.WithKeyID("")
	for name, row := range map[string]struct {
		change func(*register.Options)
		want   string
	}{
		"http elsewhere":          {func(o *register.Options) { o.URL = "http://api.example.org/FHIR/R4" }, "url: wanted https"},
		"loopback not allowed":    {func(o *register.Options) { o.LoopbackHTTP = false }, "url: wanted https"},
		"credentials in the URL":  {func(o *register.Options) { o.URL = "https://u:p@api.example.org/FHIR/R4" }, "url: wanted a host"},
		"a query in the URL":      {func(o *register.Options) { o.URL = "https://api.example.org/R4?a=b" }, "url: wanted none with a query"},
		"another token URL":       {func(o *register.Options) { o.TokenURL = "ftp://api.example.org" }, "token url: wanted https"},
		"no key":                  {func(o *register.Options) { o.Key = nil }, "client key: wanted one that signs by RS512"},
		"a key of another kind":   {func(o *register.Options) { o.Key = &es256 }, "client key: wanted one that signs by RS512"},
		"a key without kid":       {func(o *register.Options) { o.Key = &unnamed }, "client key: wanted the kid"},
		"no api key":              {func(o *register.Options) { o.APIKey = "" }, "api key: wanted one"},
		"an organisation, spaced": {func(o *register.Options) { o.Organisation = "W95 010" }, "organisation: wanted an ODS code"},
		"a negative pace":         {func(o *register.Options) { o.PerSecond = -1 }, "requests per second: wanted 1 or more"},
		"no clock":                {func(o *register.Options) { o.Now = nil }, "wanted a clock"},
	} {
		o := r.opt
		row.change(&o)
		if _, err := register.New(o); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: wanted %q, got %v", name, row.want, err)
		}
	}
	if _, err := register.New(register.Options{}); err == nil || strings.Count(err.Error(), "\n") < 4 {
		t.Errorf("wanted every fault at once, got %v", err)
	}
}
