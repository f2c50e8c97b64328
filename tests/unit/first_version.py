"""Cookies that version 1.0.0 has written, and what is in them. Do not make them anew."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

CREATED, ISSUED = 1_799_990_000, 1_800_000_000
"""When the sessions began, and when the cookies were issued. The key is KEY of tests.gateway."""

ID = "hqpuS_SmqMlbd1Q5HYKiVw"
TOKEN = "FJqB60u6DRxjWveGSAdv7O5saT3_N-XsWaePV1s9RQ4"

SIGNED: dict[str, str] = {
    "plain": ("WzEwMDAwLHsidXNlciI6ImFubiJ9XQ.a0nSAA.IeIFQchj5zLoiRzoYtguLzWvrrLWPd6XANw3hau_cCU"),
    "compressed": (
        ".SImLNjQAAp1qpeTEohIlq2ilktREJR2l3MycbCA1qDixtbEALKEy1g.a0nSAA.PZnvll256t7-J9RCz"
        "Ey9tzhT4mbWMrwneG4AoyG--Ck"
    ),
    "compressed, over 300 bytes": (
        ".SImLNjQAAp1qpeTEohIlq2ilktREJR2l3MycbCA1yhnljFhObG0sAG6B6CY.a0nSAA.lnDqtIUJmdTr"
        "zGtKtK1G-vKD6lCNhcsefsXc1vj9x-c"
    ),
    "with an id": (
        "WzEwMDAwLHsidXNlciI6ImFubiJ9LCJocXB1U19TbXFNbGJkMVE1SFlLaVZ3Il0.a0nSAA.fNM1d2XNv"
        "4FQ-q2CZxv9R3oA0jy5bX5p422vQGyFV5g"
    ),
    "only an id": (
        "WzEwMDAwLHt9LCJocXB1U19TbXFNbGJkMVE1SFlLaVZ3Il0.a0nSAA.5-kfphPgCJEM_3ipMdbFHw9PX"
        "u2i_s-QXQEM3cbWRdE"
    ),
    "owned by a str": (
        "WzEwMDAwLHsiX293bmVyIjpbImFubiIsIiJdLCJjYXJ0IjpbInRlYSJdLCJfY3NyZnRfIjoiRkpxQjYw"
        "dTZEUnhqV3ZlR1NBZHY3TzVzYVQzX04tWHNXYWVQVjFzOVJRNCJ9XQ.a0nSAA.UFpTqgEY0Z11bUqIbO"
        "ItgVIhimLp9I0CgcQCL5fmcjk"
    ),
    "owned by an int": (
        "WzEwMDAwLHsiX293bmVyIjpbNDIsIiJdLCJjYXJ0IjpbInRlYSJdLCJfY3NyZnRfIjoiRkpxQjYwdTZE"
        "UnhqV3ZlR1NBZHY3TzVzYVQzX04tWHNXYWVQVjFzOVJRNCJ9XQ.a0nSAA.t5tvmLY0JvwOPdvThDngno"
        "VUgc7-l5fs1sowpTL_n2M"
    ),
    "owned by a UUID": (
        ".SImLNjQAAp1qpfj88rzUIiWr6GolxVIlKyUD_MBcqVZHSSlWRyk5sagEqEupJDURxI1PLi5KK4kHGuD"
        "mVehkZlBq5hJUkRVeluoe7JhSZu5vWpwYYhzvpxtRHJ6YGhBmWGwZFGiiVBsLAF-DJZI.a0nSAA.oK5Q"
        "jkggXPnG--oTS0ziR-rNsUjKsOuqjFCZ2wfKgCU"
    ),
    "only an owner": (
        "WzEwMDAwLHsiX293bmVyIjpbImFubiIsIiJdfV0.a0nSAA.RzAKMTrLlcshakaNCNe1iEk61bnbXVBybVq7MuYpSfw"
    ),
    "with a CSRF token": (
        "WzEwMDAwLHsidXNlciI6ImFubiIsIl9jc3JmdF8iOiJGSnFCNjB1NkRSeGpXdmVHU0FkdjdPNXNhVDNf"
        "Ti1Yc1dhZVBWMXM5UlE0In1d.a0nSAA.BlOnmpw_eSpkb_hgZJpIYa8I9yWZl6Ri27aaVFqRgBI"
    ),
    "permanent": (
        "WzEwMDAwLHsidXNlciI6ImFubiIsIl9wZXJtYW5lbnQiOnRydWV9XQ.a0nSAA.DT087-ZzXDTDx1cQUJ"
        "j_WP6k_z8oiOXVz5im_WadSnA"
    ),
    "tagged values": (
        ".SIl9j8EKwjAMhp_FXO0kraC2sINv4MHb2KGzAYswxloZMvbuppkIXswhhPwff_40GrnUDNOdenAzbEI"
        "GBwbNodK6MvqK1u3RIW6xdFgUBP9ayR-wKIOPo0js0Wj1GYyCDtqlZSCGJHoS3ZTVg1a3J7vh_zqWG6O"
        "fhO-YP19Otdwd441kyz-A3VnJ2VPKxCGbGQLR8A0GmdNwnPYNFPRBBg.a0nSAA.jTxaCGkXmah7dGFjy"
        "tkIKeRNcH8h_UUgltuwicOvPOg"
    ),
    "a key that looks like a tag": (
        "WzEwMDAwLHsiISF0IjpbMV19XQ.a0nSAA.7zNQCKNE9HwmkeDaJhsWbACdtdOrtu-c8egIogaJDEk"
    ),
    "everything": (
        ".SImNUGFLwzAQ_S3eV1NJOtfZgB8moqKo2zo2pZTQNjdWXbsuaVdl9L-bZCL4RbwPIXfv8d67ixk1RQ4"
        "gtl2FCnh8gJMWONC_awQ9AUgIiBpVmVZYNcAb1aKZ5FqtGmE0bu53VwFtg-vZx9tyj7fRWO5Hz0Odzgf"
        "iyXvRyxQnC6bD2fQcCHRrrIAbe2mkwKd-4DHm-WxOQz6gnNJTal9rLNPPI_MX0SJ1WigHGY2Yke-PTyC"
        "DpE8MoZDa4drhvh2941Htv2urtHP8zPDHk4tL56uKHN3U7ADhWehyVqgblO6oErH-CQaNSdPb662EbTv"
        "c5NsSwaZZ7-o2ElG5e9xkkk2Hd68PxaKD5AuwX3Qe.a0nSAA.9ieoIUmfrpOEUGy9lNcPrURAk8gO5eK"
        "Aer1-IIGzQ6Y"
    ),
    "revocations": (
        "WzEwMDAwLHsiX293bmVyIjpbImFubiIsIiJdLCJjYXJ0IjpbInRlYSJdLCJfY3NyZnRfIjoiRkpxQjYw"
        "dTZEUnhqV3ZlR1NBZHY3TzVzYVQzX04tWHNXYWVQVjFzOVJRNCJ9LCJocXB1U19TbXFNbGJkMVE1SFlL"
        "aVZ3Il0.a0nSAA.yqehIBNhBVH5PTqcAmvFqammf7FQ3-RWDdWTva2pApY"
    ),
    "store": (
        "WzEwMDAwLG51bGwsImhxcHVTX1NtcU1sYmQxUTVIWUtpVnciXQ.a0nSAA.8k2yLL0c--QPbaSCHiBdhZ"
        "xXLAcTIx6l6yB6bfW9Rsk"
    ),
}
ENCRYPTED: dict[str, str] = {
    "plain": (
        "KRavFN70E2_fTa2TtffVw0c59tko5IoyJATGk5zvzlGd4msu-pfn1WmrW0vOr1iR-pWm0ctFfjkptDxX"
        "SHKohKZHsBjSrENZ1h9tGKAtHf3WWAHYYu2bV-YUrjs"
    ),
    "compressed": (
        "YGQYIy_xRXjdCz9qdyrw7CunG0YtielzSH3_dFdEtOGTF7efionE3QsGk0QTNh1tEg-QAKPv_8YUrVwV"
        "CrU4EOyleihpOVuhmIH3okU3NAwXPyIY_Ca1RfwHt9jHRLPH8zg4ImGay_QVdzPJgg1brM78q5ngACc8"
        "pMnryD7zahdNXO8bre3SG37ximjAGemsp-vhz37lsoNpt4x4CzGpAnbbaQw3898-Xv2b-Ybr8qm-Owur"
        "b9daR_kjKDJIVHZJgTAp1JnV78S2hkve5_oNXG20VgHxPwhb-pbJwg"
    ),
    "with an id": (
        "MEcCWxV8kDtQGKLdvk3pu3ymYdo4gqNfE4wDOXztJ6L9serBqMXgjax9oI2QXp8sWXRXcnVUREB9AeQO"
        "-12Kgr13ybbzY0zcOXgWrqTCFjwFUlfrJcChMOWdjGg"
    ),
    "only an id": (
        "ciz78vVQB08-b-8jC-HAh1i9lyiIaDusJ31NRR6yW5VJqG5fVoQ8xav6S0zZvgLAQpSg6Fe-9FqMLdOV"
        "JXmcQjGs01HNfN10Re0rb_mxKn2z_nThBrKZx7IeJu4"
    ),
    "owned by a str": (
        "mjzX13Lfn8LvTuU4qXRhZcUAzBACJvKn2rfTzvkzZnG9TnTGIx35_cFOuhX6qHIBcNC-wt3pnJDfLW1G"
        "AOyTHr4p3KraZFBHGO16Ei6PvTyctINiKOnTivoyv-Ag0mzKs1mm3ktAaGYeazk_P4GP8vqSVWkCfLvB"
        "r949kTqFPl3OSvlsqnsU-_WtaPc3PrJ1iHzwR6Wm5SJLBUYQ"
    ),
    "owned by an int": (
        "6UDTeHtoO5L75J3nAsgus-5k4aVgPPn3VFgIhkaDIqK7xHEB6jjUIcJccv09VNc0atRpL2SuBPlNWsbp"
        "K8l2JhEBrZPhEomAqijV5isJ7F1O3SsQJhW4W6-uTL6upt8wluL8IZREAbvTf-bAh2eVjP9wNEhlUuCt"
        "F_oz1cA0IY83zzbgYB-1EXJdCl7i5ij00VB6fwWIndn3EF_A"
    ),
    "owned by a UUID": (
        "Hf43Pqx51SbfijX79IAarTTq0TlbonPbP3WZhx7fYJZkakUEF9FoS0IIbRuTwr0A9B2roR-o49F-UiG-"
        "Gm9K0HS136BD-_hA4ctYoVMuSohuoQ_zHjrBmA7AITM8_ZDRJwuxXDTZpjGoRreouDFh7vlQhvfPeixK"
        "2g4fu5pS9qx6C8v92MgAkFtRzKntANVAAl9LNs8mWLHEWHIBInC0yJ-Yky-tS6a-lMNmhRfyh_mjALno"
        "N96cidTsiAdTbjiJYMofDxqIGSaYpyYXjCwCKjS8jlfyl7H5U1Pa-w"
    ),
    "only an owner": (
        "s8hiI9cO4I9totpJ83hFcgxrKdxq64QpB1yVkC34pymK2zYDz6n_WxB3f1YFLNZDOhYUtvoNxKhWgTsl"
        "YUdzlccNgYThWQspPM2cgtWxuSjjz92k3e1d0lWePfU"
    ),
    "with a CSRF token": (
        "_YwIlUXLu5R7w3SAQECLubpC9tYQfm18m_lr3_xakPKKCFmtyOQCekH2U_5qeYUwB4-cFE66R744c3VG"
        "rytPB3DY_K96SmFOVl7j7nJuxaz-jCONDsgR7_4Cvm4YN_-roldae93GTHuZhWntmLpgO17iaUt7fuzm"
        "57gQg1AnYSMGTROjl59ZyR_6hjHJoW3Uw1e0BSBC34YyIv3W"
    ),
    "permanent": (
        "52gcP_iXqLtWYYy6P6f-m2EiI_3w7fObJAi2Ye2e9fIUzgTszfpibyCB4SkqYesmXFo9crMP2glVkq81"
        "esDNlv1h0IF8WXErjrP2UK0dadbNbK6cPVABwoVoC_8"
    ),
    "tagged values": (
        "4hN2bDxVEpM1I34xhxOsBcpjG8gmg3KLMrlclxy9mFEh0mqlChyVGNi0fobGbeOKTPCKjRC8rq-ICoLV"
        "oGIUhukNrRVcTgKZQRS5s5EOTIGmqSJ6Q8dNvbqnIyDs01k3-da5yH5VqzBwhEKKC2P15SUQbw1nt_aA"
        "TQ9EhDgwre5x8OsavU65x6xUmd1he6yAmdI60Qwx4_LNbmxW_RVVBzRe_VbuesdUbYs5yRiMhvKGnMZL"
        "iNeQiSF3LiEC3h-mSI8D6JxIVj43P36aA7som8PaXNSI8gbUqL0roL4Qv7MtQsA27p7eUdtF9JKWUxwv"
        "zkyABTMeI7k42YgsgbvSSrlM3p9qVerdHcz2RZ5FWlyFYtsLrmMHZmwKQtyeWBEZhJiEQfaJAfXEoaNC"
        "0ZwINmt4VJ0seRyZY-5_n1h0OOh7qs0wjWilMln7Snqch5nWhWiwA-bEC35HGbYi"
    ),
    "a key that looks like a tag": (
        "1VVFkLBCm9EfK21jZTqzrtBJPoo87whXe1e9FRcQYex_GpmmR--LxZ7HsGQf1MRateSDqbfFD8pgr2xN"
        "NyQIXf2NW2l-T4HKzonnYrYJ1qXzMBMPG184tkpBPew"
    ),
    "everything": (
        "ySz7fLk4gTwsFB5hAAazmcumjGR4bdiFaDgszujMV7merb97U-EgbtBehKjxeaUD8uC78DR71SKeljZI"
        "3GUZNT_Ru0Fpuk8cRfKEobhu4KsNb0Tl5-g9m1A2OC0zoJ3LnZnPRg429wRwcW5bHCaOqfQA3dc896sK"
        "4LM8Q5VTE1B267kfVevjJuiXbT1fu742O5O0m4T6IBt-inVq1CTzI4WsRlqA07IqOfXnZ0hZWCNKPM8-"
        "mhmFy07-lDlL3lUM-4nWkU6H1tJS1sf0bhOq0netVbd_QE5RpUT1Epw9L_m1VSrtU8dguPaTlCHLYBdY"
        "anTVJIi8uAggV1sFhkv4XcdyYy4FZZj7G4OlxLBT8wzIEFZqDlEd2RuG_bWLfI_erJnS4HYKl2Bg1uMT"
        "K9KZjJL-mURSrtS15XMIf5-ePvSLSPg7N-Ks0j1lizCyj0SyyvySgkk662JTUfEXl1FM_t3O_2_2IL9x"
        "cF0bIeMLk9HQr7QBomCrrlhocZLyUW3ps5aflC1tCJssf5dOXBzGQ-Y9iVTu3xwkPajYOShcJirl3wEG"
        "XmFQhnDpjeJVZjkSz7vArj9BrPqNVYU_9THexr81pUdcLp1DH7M76SOr2_8a2AQI8nGJT1s2pHM"
    ),
    "revocations": (
        "IJwj-d3qFvfe6P9ahjUNRyje748MPp-EFZdttOZ_jcKA0tGrOSTHnHfcZrzZxZUFvINK6s0PtKFlsqCu"
        "BjS9rutvHplS8lwewudSrx8pYSG0Fi2S2xg-erB2KmugRvuhRvn0yKwq2Xx0sjDJW2OfKklttAzl4Yr8"
        "nJDwWF9vnUC-1Lwzreqco-AYvcZLEE7AVmqV4ELaiZZ7ojGDYNRs2cP-ZzazU-Y86kijr5TsX_tiIEpA"
        "MmFU8-KZdCySYAGvElqim71Ln7UdYlXFfE4mN_-ATrJGjU9FZ9EVpg"
    ),
    "store": (
        "zQn77GEaZrjepziPreUZ7EJvviUS5BwWUWoHHaVHeq5wagaxd54A98buohiwzzB-NyVxUzCgvrLtBgWC"
        "lQGQp_ojbk_21Q9Jmep9vGSRdDYaV9LYKBzhxdfJYw8"
    ),
}


class Held(NamedTuple):
    """What a cookie holds. Version 1.0 wrote the owner and the CSRF token into the data."""

    data: dict[str, Any]
    id: str | None = None
    owner: str | int | UUID | None = None
    csrf_token: str | None = None
    permanent: bool = False


USER = UUID(int=7)
TAGGED: dict[str, Any] = {
    "when": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
    "day": date(2026, 11, 21),
    "pair": (1, (2, "b")),
    "ids": {1, 2},
    "key": USER,
    "raw": b"\0\xff",
    "price": Decimal("9.90"),
    "nested": [{"deep": ("t",)}],
}
HELD: dict[str, Held] = {
    "plain": Held({"user": "ann"}),
    "compressed": Held({"cart": ["tea", "milk"] * 12}),
    "compressed, over 300 bytes": Held({"cart": ["tea", "milk"] * 60}),
    "with an id": Held({"user": "ann"}, id=ID),
    "only an id": Held({}, id=ID),
    "owned by a str": Held({"cart": ["tea"]}, owner="ann", csrf_token=TOKEN),
    "owned by an int": Held({"cart": ["tea"]}, owner=42, csrf_token=TOKEN),
    "owned by a UUID": Held({"cart": ["tea"]}, owner=USER, csrf_token=TOKEN),
    "only an owner": Held({}, owner="ann"),
    "with a CSRF token": Held({"user": "ann"}, csrf_token=TOKEN),
    "permanent": Held({"user": "ann", "_permanent": True}, permanent=True),
    "tagged values": Held(TAGGED),
    "a key that looks like a tag": Held({"!t": [1]}),
    "everything": Held(
        {"_permanent": True, **TAGGED, "_f_": ["welcome"]}, ID, USER, TOKEN, permanent=True
    ),
    "revocations": Held({"cart": ["tea"]}, ID, "ann", TOKEN),
    "store": Held({"cart": ["tea"]}, ID, "ann"),
}


class Cookie(NamedTuple):
    """A cookie of version 1.0: its Cookie header, what it holds, and how it was made."""

    header: str
    held: Held
    name: str
    encrypt: bool


COOKIES: dict[str, Cookie] = {
    f"{name}, {mode}": Cookie(f"session={token}", HELD[name], name, mode == "encrypted")
    for mode, tokens in (("signed", SIGNED), ("encrypted", ENCRYPTED))
    for name, token in tokens.items()
}
