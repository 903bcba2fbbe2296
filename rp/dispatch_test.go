package rp

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dilys-id/dilys/identity/attempt"
)

func TestDispatch(t *testing.T) {
	const departure = "https://auth.example.org/authorize?state=x"
	for name, row := range map[string]struct {
		step attempt.Step
		want string // where it leads; empty: an error
	}{
		"to the provider":               {attempt.Step{Kind: attempt.StepProvider, Provider: "nhs-login"}, departure},
		"done, for a portal":            {attempt.Step{Kind: attempt.StepReturn, Return: attempt.Return{Request: "a/b?c"}}, "/authorize?request=a%2Fb%3Fc"},
		"done, for a page of ours":      {attempt.Step{Kind: attempt.StepReturn, Return: attempt.Return{Path: "/results?page=2"}}, "/results?page=2"},
		"done, for nothing named":       {attempt.Step{Kind: attempt.StepReturn}, "/account"},
		"done, for both: the portal":    {attempt.Step{Kind: attempt.StepReturn, Return: attempt.Return{Request: "x", Path: "/account"}}, "/authorize?request=x"},
		"done in another tab":           {attempt.Step{Kind: attempt.StepReturn, Elsewhere: true, Return: attempt.Return{Request: "x"}}, "/authorize?request=x&elsewhere=1"},
		"done in another tab, our page": {attempt.Step{Kind: attempt.StepReturn, Elsewhere: true, Return: attempt.Return{Path: "/results"}}, "/results"},
		"choose again, for a portal":    {attempt.Step{Kind: attempt.StepChoose, Return: attempt.Return{Request: "x"}}, "/authorize?request=x"},
		"choose again, for a page":      {attempt.Step{Kind: attempt.StepChoose, Return: attempt.Return{Path: "/results?page=2"}}, "/login?return=%2Fresults%3Fpage%3D2"},
		"choose again, for nothing":     {attempt.Step{Kind: attempt.StepChoose}, "/login"},
		"a refusal has no place to go":  {attempt.Step{Kind: attempt.StepRefused, Cause: "under-age"}, ""},
		"no step at all":                {attempt.Step{}, ""},
	} {
		w := httptest.NewRecorder()
		v := &visit{Server: newHouse(t).Server, w: w, r: get("/")}
		err := v.dispatch(row.step, departure)
		if (err == nil) != (row.want != "") || w.Header().Get("Location") != row.want {
			t.Errorf("%s: got %q, %v", name, w.Header().Get("Location"), err)
		}
		if err == nil && w.Code != http.StatusSeeOther {
			t.Errorf("%s: got %d", name, w.Code)
		}
	}
}

func TestDeclineURL(t *testing.T) {
	for want, to := range map[string]attempt.Return{
		"":                                   {Path: "/account"},
		"/authorize?request=a%26b&decline=1": {Request: "a&b"},
	} {
		if got := declineURL(to); got != want {
			t.Errorf("wanted %q, got %q", want, got)
		}
	}
}

func TestOriginOf(t *testing.T) {
	for address, want := range map[string]string{
		"https://portal.example.com/after?x=y": "https://portal.example.com", "http://127.0.0.1:8080/": "http://127.0.0.1:8080",
		"": "", "/path": "", "://": "", "mailto:a@example.com": "", "https://user@portal.example.com/": "https://portal.example.com",
	} {
		if got := originOf(address); got != want {
			t.Errorf("%q: got %q", address, got)
		}
	}
}

func TestDescribeDeviceIsBounded(t *testing.T) {
	pad := make([]byte, 512)
	for i := range pad {
		pad[i] = ' '
	}
	if got := describeDevice(string(pad) + "Firefox/1 Linux"); got != "" {
		t.Errorf("read on past the bound: %q", got)
	}
	if got := describeDevice(string(pad[:len(pad)-len("Firefox/")]) + "Firefox/"); got != "Firefox" {
		t.Errorf("stopped before the bound: %q", got)
	}
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; CrOS x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36":                                "Chrome, Chromebook",
		"Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0 Safari/537.36": "Samsung Internet, Android",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 OPR/111.0":                       "Opera, Windows",
		"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile Safari/604.1":          "Chrome, iPad",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Safari/605.1.15":               "Firefox, Mac",
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36 nhsapp-android/2.40.0":                      "NHS App, Android",
	} {
		if got := describeDevice(agent); got != want {
			t.Errorf("%.60s: got %q", agent, got)
		}
	}
}
