package correlate

// SetApart makes the engine search with every instance on its own.
func (e *Engine) SetApart() { e.x.apart = true }
