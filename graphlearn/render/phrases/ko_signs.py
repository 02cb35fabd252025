"""한국어: why adjoints are what they are, and what the signs of formulas mean."""

SIGNS = {
    "because.differential": "{equation} 식의 양변을 미분하면 {result} 식을 얻습니다. d 기호는 작은 변화를 뜻합니다.",
    "because.chain.prod": "곱을 한 인수로 미분하면 나머지 모든 인수의 곱이 됩니다.",
    "because.chain.max": "최댓값은 가장 큰 원소가 변할 때만 변하므로, 기울기는 그 원소에만 전달됩니다.",
    "because.chain.min": "최솟값은 가장 작은 원소가 변할 때만 변하므로, 기울기는 그 원소에만 전달됩니다.",
    "because.chain.cumsum": "원소는 자기 자리부터 뒤의 모든 누적합에 들어가므로, 그 자리들의 기울기를 모두 더합니다.",
    "because.chain.take": "여러 번 골라 쓴 원소는 기울기를 모두 더해 받습니다.",
    "because.chain.take_along_axis": "여러 번 골라 쓴 원소는 기울기를 모두 더해 받습니다.",
    "because.chain.slice": "고르지 않은 원소는 영향을 주지 않으므로 기울기가 0입니다.",
    "because.chain.inlay": "그 영역의 원소만 여기에서 오므로, 기울기도 그 영역에서 가져옵니다.",
    "because.chain.concatenate": "각 부분은 기울기에서 자기 몫의 조각을 받습니다.",
    "because.chain.windows": "한 원소가 여러 창에 들어 있을 수 있으므로, 그 사본들의 기울기를 모두 더합니다.",
    "because.chain.var": "원소가 변하면 평균도 변하지만, 평균과의 차이를 모두 더하면 0이므로 그 몫은 사라집니다.",
    "because.chain.std": "원소가 변하면 평균도 변하지만, 평균과의 차이를 모두 더하면 0이므로 그 몫은 사라집니다.",
    "sign.entrywise": "{sign} 기호는 두 배열을 원소끼리 곱하라는 뜻입니다.",
    "sign.ones": "{sign} 기호는 모든 원소가 1인 배열입니다.",
    "sign.where": "{sign} 식은 c 조건이 참인 자리에서는 a, 나머지 자리에서는 b입니다.",
    "sign.indicator": "{sign} 기호는 c 조건이 참이면 1, 거짓이면 0입니다(아이버슨 괄호).",
    "sign.rows": "{sign} 기호는 두 행을 가진 행렬이며, 세로줄은 행의 끝을 나타냅니다.",
    "sign.sigmoid": "{sign} 기호는 시그모이드 함수 1 / (1 + exp(−z)) 값을 뜻합니다.",
    "sign.floor_divide": "{sign} 식은 a / b 값을 내림한 정수입니다.",
    "sign.kronecker": "{sign} 기호는 두 번호가 같으면 1, 다르면 0입니다(크로네커 델타).",
    "sign.lower_half": "{sign} 식은 A 행렬의 아래 삼각만 남기고 대각 성분을 반으로 줄인 행렬입니다.",
    "sign.chol": "{sign} 식은 L Lᵀ = A 식을 만족하고 대각 성분이 양수인 아래 삼각 행렬 L입니다.",
    "sign.softplus": "{sign} = log(1 + exp(z)) 입니다.",
    "sign.cof": (
        "{sign} 식은 여인수 행렬입니다. i행 j열의 성분은 A 행렬에서 i행과 j열을 지운 행렬식에 (−1)ⁱ⁺ʲ 부호를 붙인 "
        "것입니다."
    ),
    "sign.before": "{sign} 식은 자리마다 그보다 앞에 있는 원소들의 곱입니다. 첫 자리에서는 1입니다.",
    "sign.after": "{sign} 식은 자리마다 그보다 뒤에 있는 원소들의 곱입니다. 마지막 자리에서는 1입니다.",
    "sign.recurrence": (
        "{sign} 식은 축을 따라 s₁ = 0, sₖ₊₁ = aₖ·sₖ + bₖ 점화식으로 얻는 s 수열입니다. reverse=True 옵션이 있으면 "
        "끝에서부터 계산합니다."
    ),
    "sign.cumsum": "{sign} 식은 각 자리까지의 합입니다. reverse=True 옵션이 있으면 그 자리부터 끝까지의 합입니다.",
    "sign.scatter": "{sign} 식은 0으로 채운 배열에서, k 번호가 가리키는 자리마다 g 배열의 원소를 더한 것입니다.",
    "sign.take_along_axis": "{sign} 식은 x 배열에서 축을 따라 k 번호가 가리키는 원소를 고른 것입니다.",
    "sign.scatter_along_axis": (
        "{sign} 식은 0으로 채운 배열에서, 축을 따라 k 번호가 가리키는 자리마다 g 배열의 원소를 더한 것입니다."
    ),
    "sign.inlay": "{sign} 식은 0으로 채운 배열에서, 적힌 영역에 g 배열을 넣은 것입니다.",
    "sign.windows": (
        "{sign} 식은 x 배열에서 이웃한 원소 n개씩의 창을 모두 늘어놓은 것입니다. 한 원소가 여러 창에 들어 "
        "있을 수 있습니다."
    ),
    "sign.overlap_add": "{sign} 식은 창들을 제자리에 되돌려 놓고 겹치는 곳을 더한 것입니다.",
    "sign.conv": "{sign} 식은 w 커널을 x 배열 위로 밀면서, 자리마다 겹친 원소끼리 곱해 모두 더합니다.",
    "sign.conv_image": "{sign} 식은 거꾸로, g 배열의 각 원소에 w 커널을 곱해 그 원소가 나온 창에 더합니다.",
    "sign.conv_kernel": "{sign} 식은 x 배열의 창마다, 그 창에서 나온 g 배열의 원소를 곱해 모두 더합니다.",
    "sign.broadcast": "{sign} 식은 x 배열을 뒤에 적은 모양이 되도록 반복한 것입니다.",
    "sign.none": "{sign} 표시는 그 자리에 길이가 1인 축을 넣습니다. 배열은 필요한 만큼 그 축을 따라 반복됩니다.",
    "sign.guarded": "{sign} 식은 b와 같지만, c 조건이 참이면 자릿수를 잃지 않도록 a로 계산합니다.",
    "sign.reshape": "{sign} 식은 x 배열의 원소를 뒤에 적은 모양으로 다시 늘어놓은 것입니다.",
    "sign.tril": "{sign} 식은 A 행렬의 아래 삼각입니다. 뒤에 수를 적으면 경계가 그만큼 위로 올라갑니다.",
    "sign.triu": "{sign} 식은 A 행렬의 위 삼각입니다. 뒤에 수를 적으면 경계가 그만큼 위로 올라갑니다.",
    "sign.diag": "{sign} 식은 x 배열의 원소를 대각에 놓은 행렬입니다. 뒤에 수를 적으면 대각이 그만큼 위로 올라갑니다.",
    "sign.diagonal": "{sign} 식은 A 행렬의 대각 성분입니다. 뒤에 수를 적으면 그만큼 위에 있는 대각을 뜻합니다.",
    "sign.einsum": "{sign} 식은 글자가 같은 원소끼리 곱하고, 결과에 없는 글자에 대해 모두 더합니다.",
    "sign.sech": "{sign} = 1 − tanh²(z) 입니다.",
}
