"""The device: what people read instead of a User-Agent."""

import pytest

from portal.accounts import device

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT}"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT}"


@pytest.mark.parametrize(
    ("agent", "browser", "system"),
    [
        (f"{WINDOWS} Chrome/140.0.0.0 Safari/537.36", "Chrome", "Windows"),
        (f"{WINDOWS} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge", "Windows"),
        (f"{WINDOWS} Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0", "Opera", "Windows"),
        (f"{MAC} Version/18.5 Safari/605.1.15", "Safari", "macOS"),
        (f"{IPHONE} (KHTML, like Gecko) CriOS/140.0 Mobile Safari/604.1", "Chrome", "iPhone"),
        (
            f"{ANDROID} SamsungBrowser/28.0 Chrome/130.0 Safari/537.36",
            "Samsung Internet",
            "Android",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox", "Linux"),
        ("curl/8.5.0", "curl", ""),
        ("", "", ""),
        ("\u202e<script>" * 20, "", ""),
    ],
)
def test_a_browser_and_its_system_are_named_as_their_makers_do(agent, browser, system):
    assert device.of_agent(agent) == (browser, system)
