package service_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Row J1: who drips, or holds connections and says nothing, is cut off, and keeps nobody
// else from being served. The times are the listener's own, with as much again for a
// machine that is busy.
func TestJ1SlowClients(t *testing.T) {
	t.Parallel() // it waits for the clock on the wall
	const (
		many  = 200
		limit = 40 * time.Second
	)
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := w.Front.HTTPServer()
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	address := l.Addr().String()

	scripts := map[string]string{
		"no word at all":      "",
		"half a request line": "GET /lo",
		"headers without end": "GET /login HTTP/1.1\r\nHost: " + address + "\r\nX-Slow: ",
		"a body that does not come": "POST /login/email HTTP/1.1\r\nHost: " + address + "\r\nOrigin: " + w.url +
			"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nemail=",
	}
	cut := make(chan string, len(scripts)*many)
	var held sync.WaitGroup
	for name, said := range scripts {
		for range many / len(scripts) {
			c, err := net.Dial("tcp", address)
			must(t, err)
			_, err = io.WriteString(c, said)
			must(t, err)
			held.Go(func() {
				defer c.Close()
				_ = c.SetReadDeadline(time.Now().Add(limit))
				for {
					if _, err := bufio.NewReader(c).ReadByte(); err == nil {
						continue // a refusal, and then the end
					} else if nerr, slow := err.(net.Error); slow && nerr.Timeout() {
						cut <- name
						return
					}
					return
				}
			})
		}
	}
	for i := range 20 { // everybody else goes on
		r, err := http.Get("http://" + address + "/login")
		must(t, err)
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Fatalf("request %d beside the slow ones: got %d", i, r.StatusCode)
		}
	}
	held.Wait()
	close(cut)
	for name := range cut {
		t.Errorf("%s: it was still held after %s", name, limit)
	}
}
