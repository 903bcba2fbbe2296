package provider

import "time"

// SetWithin shortens how long a conversation may take.
func (p *Provider) SetWithin(d time.Duration) { p.within = d }
