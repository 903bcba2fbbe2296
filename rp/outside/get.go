package outside

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Get fetches a JSON document. Its errors are texts of ours.
func Get(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, Fault("wanted a URL, got something else")
	}
	r.Header.Set("Accept", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return nil, InOurWords(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, Fault(fmt.Sprintf("wanted status 200, got %d", answer.StatusCode))
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, InOurWords(err)
	}
	return body, nil
}
