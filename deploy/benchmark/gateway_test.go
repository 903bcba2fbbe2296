package benchmark

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"
)

// question is what a gateway asks of /check for each request of a patient's
// browser, with the headers that it passes on.
func question(host, cookie string) string {
	return strings.Join([]string{
		"GET /check HTTP/1.1", "Host: " + host,
		"X-Forwarded-Host: " + host, "X-Forwarded-Method: GET", "X-Forwarded-Uri: /records?page=2", "X-Forwarded-Proto: https",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: en-GB,en;q=0.5",
		"Cookie: dilys-lang=en; " + sessionCookie + "=" + cookie, "", "",
	}, "\r\n")
}

// ask sends the question that often over kept connections and wants a yes each
// time.
func ask(ctx context.Context, host, question string, times int) error {
	all, ctx := errgroup.WithContext(ctx)
	for range crowd {
		all.Go(func() error { return askOver(ctx, host, question, times/crowd) })
	}
	return all.Wait()
}

func askOver(ctx context.Context, host, question string, times int) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	answers := bufio.NewReader(c)
	for range times {
		if _, err := c.Write([]byte(question)); err != nil {
			return err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("/check: wanted status 200, got %d", answer.StatusCode)
		}
	}
	return nil
}
