package notifystandin_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/courier/notifystandin"
)

const (
	service = "26785a09-ab16-4eb0-8407-a37497a57506"
	secret  = "3d844edf-8d35-48ac-975b-e847b4f122b0"
)

var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

func standIn(t *testing.T, change ...func(*notifystandin.Options)) *notifystandin.StandIn {
	t.Helper()
	o := notifystandin.Options{Now: func() time.Time { return epoch }, Name: "a name", Service: service, Secret: secret, Templates: []notifystandin.Template{
		{ID: "text", Type: "sms", Body: "((body))"}, {ID: "mail", Type: "email", Subject: "((subject))", Body: "((body)) and ((more))"},
	}}
	for _, c := range change {
		c(&o)
	}
	s, err := notifystandin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// token signs what it is given, as written here and not by our own client.
func token(head, claims string, key string) string {
	e := base64.RawURLEncoding.EncodeToString
	body := e([]byte(head)) + "." + e([]byte(claims))
	code := hmac.New(sha256.New, []byte(key))
	code.Write([]byte(body))
	return body + "." + e(code.Sum(nil))
}

func honest() string {
	return token(`{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"iss":%q,"iat":%d}`, service, epoch.Unix()), secret)
}

// ask does one request and returns the status and the error type of its answer.
func ask(s http.Handler, method, path, bearer, body string) (int, string) {
	r, w := httptest.NewRequest(method, path, strings.NewReader(body)), httptest.NewRecorder()
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	s.ServeHTTP(w, r)
	var fault struct {
		StatusCode int                               `json:"status_code"`
		Errors     []struct{ Error, Message string } `json:"errors"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &fault)
	if len(fault.Errors) == 0 {
		return w.Code, ""
	}
	return w.Code, fault.Errors[0].Error
}

const sms = `{"phone_number":"07700 900123","template_id":"text","personalisation":{"body":"words"},"reference":"ref"}`

func TestBearer(t *testing.T) {
	head, claims := `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"iss":%q,"iat":%d}`, service, epoch.Unix())
	at := func(d time.Duration) string {
		return token(head, fmt.Sprintf(`{"iss":%q,"iat":%d}`, service, epoch.Add(d).Unix()), secret)
	}
	for name, row := range map[string]struct {
		bearer string
		status int
	}{
		"right":             {honest(), 201},
		"30 s ago":          {at(-30 * time.Second), 201},
		"none":              {"", 401},
		"31 s ago":          {at(-31 * time.Second), 403},
		"31 s ahead":        {at(31 * time.Second), 403},
		"another key":       {token(head, claims, "another"), 403},
		"alg none":          {token(`{"alg":"none","typ":"JWT"}`, claims, secret), 403},
		"another service":   {token(head, strings.Replace(claims, service, secret, 1), secret), 403},
		"no time":           {token(head, fmt.Sprintf(`{"iss":%q}`, service), secret), 403},
		"signature cut off": {strings.TrimSuffix(honest(), honest()[len(honest())-10:]), 403},
		"two parts":         {"a.b", 403},
	} {
		if status, _ := ask(standIn(t), "POST", "/v2/notifications/sms", row.bearer, sms); status != row.status {
			t.Errorf("%s: wanted %d, got %d", name, row.status, status)
		}
	}
}

func TestOrders(t *testing.T) {
	change := func(from, to string) string { return strings.Replace(sms, from, to, 1) }
	mail := `{"email_address":"ann@example.com","template_id":"mail","personalisation":{"subject":"s","body":"b","more":"m"}}`
	for name, row := range map[string]struct {
		path, body string
		status     int
		kind       string
	}{
		"a text":                    {"sms", sms, 201, ""},
		"an email":                  {"email", mail, 201, ""},
		"no JSON":                   {"sms", "x", 400, "ValidationError"},
		"a property nobody knows":   {"sms", change("reference", "refer"), 400, "ValidationError"},
		"no number":                 {"sms", change("07700 900123", ""), 400, "ValidationError"},
		"a landline":                {"sms", change("07700 900123", "02920000000"), 400, "ValidationError"},
		"a foreign number":          {"sms", change("07700 900123", "+33612345678"), 400, "BadRequestError"},
		"no template":               {"sms", change(`"text"`, `"none"`), 400, "BadRequestError"},
		"a template of an email":    {"sms", change(`"text"`, `"mail"`), 400, "BadRequestError"},
		"a hole without its value":  {"sms", change(`"body"`, `"bodies"`), 400, "BadRequestError"},
		"no address":                {"email", strings.Replace(mail, "ann@example.com", "ann", 1), 400, "ValidationError"},
		"a name with the address":   {"email", strings.Replace(mail, "ann@example.com", "Ann <ann@example.com>", 1), 400, "ValidationError"},
		"one value of three absent": {"email", strings.Replace(mail, "more", "less", 1), 400, "BadRequestError"},
	} {
		s := standIn(t)
		status, kind := ask(s, "POST", "/v2/notifications/"+row.path, honest(), row.body)
		if status != row.status || kind != row.kind || (status == 201) != (len(s.Messages()) == 1) {
			t.Errorf("%s: got %d %s, %d taken", name, status, kind, len(s.Messages()))
		}
	}
	abroad := standIn(t, func(o *notifystandin.Options) { o.International = true })
	if status, _ := ask(abroad, "POST", "/v2/notifications/sms", honest(), change("07700 900123", "+33612345678")); status != 201 {
		t.Errorf("abroad: got %d", status)
	}
}

func TestFindsWhatItTook(t *testing.T) {
	s := standIn(t)
	ask(s, "POST", "/v2/notifications/sms", honest(), sms)
	ask(s, "POST", "/v2/notifications/sms", honest(), strings.Replace(strings.Replace(sms, "07700 900123", "07700900000", 1), "ref\"", "smoke\"", 1))
	find := func(path string) string {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+honest())
		s.ServeHTTP(w, r)
		return w.Body.String()
	}
	id := s.Messages()[0].ID
	for path, want := range map[string]string{
		"/v2/notifications?reference=ref": id, "/v2/notifications/" + id: id, "/v2/notifications/none": "NoResultFound",
		"/v2/notifications?reference=none": `"notifications":[]`, "/v2/notifications?reference=smoke": `"notifications":[]`, "/v2/template/text": "((body))", "/v2/template/none": "NoResultFound",
	} {
		if got := find(path); !strings.Contains(got, want) {
			t.Errorf("%s: got %s", path, got)
		}
	}
	if got := s.Messages(); len(got) != 2 || !got[1].Smoke || got[0].Smoke || got[0].Body != "words" || !got[0].At.Equal(epoch) {
		t.Errorf("got %+v", got)
	}
	s.Reset()
	if len(s.Messages()) != 0 {
		t.Error("not forgotten")
	}
}

func TestFaults(t *testing.T) {
	for fault, want := range map[notifystandin.Fault]struct {
		status, taken int
		kind          string
	}{
		notifystandin.DailyLimit:  {429, 0, "TooManyRequestsError"},
		notifystandin.RateLimit:   {429, 0, "RateLimitError"},
		notifystandin.Broken:      {500, 0, "Exception"},
		notifystandin.BrokenAfter: {500, 1, "Exception"},
		notifystandin.Redirect:    {307, 0, ""},
		notifystandin.Babble:      {400, 0, ""},
	} {
		s := standIn(t)
		s.SetFault(fault)
		status, kind := ask(s, "POST", "/v2/notifications/sms", honest(), sms)
		if status != want.status || kind != want.kind || len(s.Messages()) != want.taken {
			t.Errorf("%s: got %d %s, %d taken", fault, status, kind, len(s.Messages()))
		}
	}
	for fault, taken := range map[notifystandin.Fault]int{notifystandin.Drop: 1, notifystandin.Down: 0} {
		s := standIn(t)
		s.SetFault(fault)
		server := httptest.NewServer(s)
		r, _ := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/v2/notifications/sms", strings.NewReader(sms))
		r.Header.Set("Authorization", "Bearer "+honest())
		if _, err := http.DefaultClient.Do(r); err == nil || len(s.Messages()) != taken { //nolint:bodyclose // there is none
			t.Errorf("%s: got %v, %d taken", fault, err, len(s.Messages()))
		}
		server.Close()
	}
}

func TestReceipts(t *testing.T) {
	var got []map[string]any
	refuse := true
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of mine" || refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		b, _ := io.ReadAll(r.Body)
		var v map[string]any
		_ = json.NewDecoder(bytes.NewReader(b)).Decode(&v)
		got = append(got, v)
	}))
	defer hook.Close()
	s := standIn(t, func(o *notifystandin.Options) { o.Callback, o.Bearer = hook.URL, identity.Secret("of mine") })
	for _, n := range []string{"07700900123", "07700900002", "07700900003", "07700900111"} {
		ask(s, "POST", "/v2/notifications/sms", honest(), strings.Replace(sms, "07700 900123", n, 1))
	}
	if n, err := s.SendReceipts(t.Context()); err == nil || n != 0 {
		t.Errorf("refused: got %d, %v", n, err)
	}
	refuse = false
	for _, want := range []int{3, 0} {
		if n, err := s.SendReceipts(t.Context()); err != nil || n != want {
			t.Errorf("wanted %d, got %d, %v", want, n, err)
		}
	}
	for i, want := range []string{"delivered", "permanent-failure", "temporary-failure"} {
		if got[i]["status"] != want || got[i]["reference"] != "ref" || s.Messages()[i].Status != want {
			t.Errorf("%d: got %v", i, got[i])
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]notifystandin.Options{
		"no clock":             {Service: service, Secret: secret},
		"no secret":            {Now: time.Now, Service: service},
		"a template of letter": {Now: time.Now, Service: service, Secret: secret, Templates: []notifystandin.Template{{ID: "x", Type: "letter"}}},
	} {
		if _, err := notifystandin.New(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if key := standIn(t).Key().Reveal(); key != "a name-"+service+"-"+secret {
		t.Error("another key")
	}
}
