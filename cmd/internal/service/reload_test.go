package service_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dilys-id/dilys/cmd/internal/service"
)

// runs runs the world's service on listeners of its own, as dilys serve does, and returns
// its public address and its operators'.
func (w *world) runs(t *testing.T) (public, operations string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var all service.Listeners
	for _, l := range []*net.Listener{&all.Public, &all.Operations} {
		var err error
		*l, err = net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, all) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return "http://" + all.Public.Addr().String(), "http://" + all.Operations.Addr().String()
}

// reads returns the status and text of a page, and follows it nowhere.
func reads(t *testing.T, address string) (int, string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(address)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(text)
}

func TestL13AReloadTakesEverythingUpAtOnce(t *testing.T) {
	w := newWorld(t)
	public, operations := w.runs(t)
	asks := "/authorize?client_id=new-portal&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fnew&response_type=code"
	if status, _ := reads(t, public+asks); status != http.StatusBadRequest {
		t.Fatalf("a portal that is not there: got %d", status)
	}
	changed := *w.Config
	added := w.Config.Portals[0]
	added.ID, added.RedirectURIs = "new-portal", []string{"http://127.0.0.1:9/new"}
	changed.Portals = append(slices.Clone(w.Config.Portals), added)
	changed.Providers = w.Config.Providers[:1]
	changed.Notice = service.Notice{Text: service.Text{"en": "Closed on Sunday", "cy": "Ar gau ddydd Sul"}}
	must(t, w.Reload(t.Context(), &changed))
	if _, login := reads(t, public+"/login"); !strings.Contains(login, "Closed on Sunday") || strings.Contains(login, w.Config.Providers[1].ID) {
		t.Errorf("wanted the notice, and one provider")
	}
	if status, _ := reads(t, public+asks); status == http.StatusBadRequest {
		t.Error("the new portal is not known")
	}
	_, metrics := reads(t, operations+"/metrics")
	if !strings.Contains(metrics, `dilys_reloads_total{result="ok"} 1`) || strings.Contains(metrics, `dilys_dependency_up{name="`+w.Config.Providers[1].ID) {
		t.Error("wanted the reload counted, and the provider that left gone")
	}
}

func TestL13ABadReloadChangesNothing(t *testing.T) {
	w := newWorld(t)
	public, operations := w.runs(t)
	for name, change := range map[string]func(c *service.Config){
		"public_url": func(c *service.Config) { c.PublicURL = "http://127.0.0.1:1" },
		"database":   func(c *service.Config) { c.Database = "sqlite:/tmp/other.db" },
		"portals":    func(c *service.Config) { c.Portals[0].Trust = nil },
	} {
		changed := *w.Config
		changed.Portals = slices.Clone(w.Config.Portals)
		changed.Notice = service.Notice{Text: service.Text{"en": "Closed on Sunday", "cy": "Ar gau ddydd Sul"}}
		change(&changed)
		if err := w.Reload(t.Context(), &changed); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(name, "s")) {
			t.Errorf("%s: wanted it refused by name, got %v", name, err)
		}
		if _, login := reads(t, public+"/login"); strings.Contains(login, "Closed on Sunday") {
			t.Errorf("%s: half of it was taken up", name)
		}
	}
	w.NotReloaded(errors.New("the file has faults"))
	if _, status := reads(t, operations+"/status"); !strings.Contains(status, "the file has faults") || !strings.Contains(status, `"ready":true`) {
		t.Errorf("wanted the fault in the status, and the service ready: %s", status)
	}
	_, metrics := reads(t, operations+"/metrics")
	if !strings.Contains(metrics, `dilys_reloads_total{result="refused"} 4`) {
		t.Error("wanted the refusals counted")
	}
	must(t, w.Reload(t.Context(), w.Config))
	if _, status := reads(t, operations+"/status"); strings.Contains(status, "the file has faults") {
		t.Error("a good one left the fault standing")
	}
}

// Patients go on while the configuration is changed again and again.
func TestReloadsUnderWay(t *testing.T) {
	w := newWorld(t)
	public, _ := w.runs(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	var read atomic.Int32
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				if status, _ := reads(t, public+"/login"); status != http.StatusOK {
					t.Errorf("got %d", status)
					return
				}
				read.Add(1)
			}
		})
	}
	for reloads := 0; !t.Failed() && (reloads < 10 || read.Load() < 40); reloads++ {
		must(t, w.Reload(t.Context(), w.Config))
	}
	stop()
	all.Wait()
}
