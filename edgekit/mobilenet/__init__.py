"""The MobileNet definition: what it is (spec), how it computes (network), where its weights come from (weights)."""
