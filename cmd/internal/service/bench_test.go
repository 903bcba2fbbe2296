package service_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkCheck answers a gateway without the network: what deploy/bench measures
// on the real binary, for a profile to look into (-cpuprofile).
func BenchmarkCheck(b *testing.B) {
	w := newWorld(b)
	patient := w.browser()
	patient.login("mair-prawf")
	r := httptest.NewRequest(http.MethodGet, w.url+"/check", nil)
	for _, c := range patient.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	b.ReportAllocs()
	for b.Loop() {
		answer := httptest.NewRecorder()
		if w.Front.ServeHTTP(answer, r); answer.Code != http.StatusOK {
			b.Fatalf("wanted 200, got %d", answer.Code)
		}
	}
}

// BenchmarkLogin walks a whole login, from the chooser to the session; browser and
// provider are in the figure.
func BenchmarkLogin(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		patient := w.browser()
		patient.get("/login")
		patient.login("mair-prawf")
	}
}
