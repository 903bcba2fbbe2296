package hashing

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/dilys-id/dilys/identity/password"
)

// BenchmarkNeighbour times a trivial request, 200 a second at most, beside hashing without
// end: in no place, in the pool, and in goroutines of the same process.
//
//	go test ./cmd/internal/hashing -run '^$' -bench Neighbour -benchtime 1000x
func BenchmarkNeighbour(b *testing.B) {
	crowd := func(work func(context.Context)) func(context.Context) {
		return func(ctx context.Context) {
			for range 4 {
				go func() {
					for ctx.Err() == nil {
						work(ctx)
					}
				}()
			}
		}
	}
	p := New(Options{})
	defer p.Close()
	for _, row := range []struct {
		name  string
		crowd func(context.Context)
	}{
		{"undisturbed", func(context.Context) {}},
		{"beside the pool", crowd(func(ctx context.Context) { _, _ = p.Hash(ctx, secret, password.Anyone) })},
		{"beside goroutines", crowd(func(context.Context) { password.Hash(secret) })},
	} {
		b.Run(row.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			row.crowd(ctx)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
			defer server.Close()
			report(b, server)
		})
	}
}

// report asks one after the other, at a steady pace where the answers come in time.
func report(b *testing.B, server *httptest.Server) {
	var took []time.Duration
	pace := time.NewTicker(time.Second / 200)
	defer pace.Stop()
	for b.Loop() {
		<-pace.C
		began := time.Now()
		answer, err := server.Client().Get(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.50), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(0, "ns/op") // the pace's, not the server's
}

// BenchmarkVerify compares the processor time of a check by the pool, on both sides of
// the pipe, with that of argon2id alone. Both take turns, so that whatever else the
// machine does slows both.
func BenchmarkVerify(b *testing.B) {
	p := New(Options{Workers: 1})
	defer p.Close()
	hash := hashed(b, p)
	own, worker := os.Getpid(), onlyChild(b)
	var alone, asked, worked time.Duration
	for b.Loop() {
		before := processor(b, own)
		argon2.IDKey(secret[:], make([]byte, 16), 2, 19<<10, 1, 32)
		alone += processor(b, own) - before
		before, ofWorker := processor(b, own), processor(b, worker)
		if ok, err := p.Verify(b.Context(), hash, secret, password.Known); !ok || err != nil {
			b.Fatal(err)
		}
		asked, worked = asked+processor(b, own)-before, worked+processor(b, worker)-ofWorker
	}
	b.ReportMetric(float64(alone.Microseconds())/1000/float64(b.N), "alone-ms")
	b.ReportMetric(float64(worked.Microseconds())/1000/float64(b.N), "worker-ms")
	b.ReportMetric(float64(asked.Microseconds())/1000/float64(b.N), "parent-ms")
	b.ReportMetric(float64(asked+worked)/float64(alone), "ratio")
}

// processor returns how long a process has run, to the nanosecond (proc(5), schedstat).
func processor(b *testing.B, pid int) (sum time.Duration) {
	b.Helper()
	for _, file := range must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))) {
		var ran time.Duration
		text, _ := os.ReadFile(file) // a thread that ended meanwhile has none
		_, _ = fmt.Sscan(string(text), &ran)
		sum += ran
	}
	return sum
}
