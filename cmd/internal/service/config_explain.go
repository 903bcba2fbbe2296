package service

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// setting is one resolved value, for operators.
type setting struct {
	key, value, source string
}

// Explain writes every resolved value, one a line, with its source: the line of
// the file, "default", or the rule that it comes from. Of a secret it shows the
// file that holds it and that it is set.
func (c *Config) Explain(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range c.settings {
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", s.key, s.value, s.source); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
	}
	return table.Flush()
}
