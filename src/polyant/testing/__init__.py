"""The contract kit: one test class per port, which every adapter must pass, plus fakes and factories."""
