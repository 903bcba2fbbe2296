package workbench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Lie is something that the simulator can be told to do wrong, by name.
type Lie struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// lies is the simulator's state, as its GET /faults tells it.
type lies struct {
	Presets  []Lie                      `json:"presets"`
	Standing json.RawMessage            `json:"standing"` // for everybody, until it is changed
	Next     json.RawMessage            `json:"next"`     // for the next login alone
	Clients  map[string]json.RawMessage `json:"clients"`  // for one client each
}

// nothing reports whether faults are none.
func nothing(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(raw, &members) == nil && len(members) == 0
}

// order is the body of the simulator's POST /faults; the zero value ends all lies.
type order struct {
	Preset string `json:"preset,omitempty"`
	Next   bool   `json:"next,omitempty"`
}

// liar speaks to the simulator's HTTP interface.
type liar struct {
	address string // without a slash at its end
	client  *http.Client
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// ask returns what the simulator does wrong now.
func (l liar) ask(ctx context.Context) (lies, error) {
	return l.call(ctx, http.MethodGet, nil)
}

// tell gives an order and returns what the simulator does wrong from then on.
func (l liar) tell(ctx context.Context, o order) (lies, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return lies{}, err
	}
	return l.call(ctx, http.MethodPost, body)
}

func (l liar) call(ctx context.Context, method string, body []byte) (lies, error) {
	request, err := http.NewRequestWithContext(ctx, method, l.address+"/faults", bytes.NewReader(body))
	if err != nil {
		return lies{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := l.client.Do(request)
	if err != nil {
		return lies{}, fmt.Errorf("the simulator does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return lies{}, fmt.Errorf("the simulator does not answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return lies{}, fmt.Errorf("the simulator refused: %s", strings.TrimSpace(string(said)))
	}
	var told lies
	if err := json.Unmarshal(said, &told); err != nil {
		return lies{}, fmt.Errorf("the simulator's answer: %w", err)
	}
	return told, nil
}
